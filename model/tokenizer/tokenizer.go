// Package tokenizer turns text into token ids and back.
//
// It holds two kinds. [WordLevel] is the tokenizer of models that are trained here. [Subword] reads the
// tokenizer.json of a Hugging Face checkpoint (byte-level BPE of GPT-2 and OPT, SentencePiece BPE of LLaMA,
// Unigram of T5, WordPiece of BERT) and gives the ids that the `tokenizers` library gives; what such a file
// may hold and is not computed here is refused by name. [Load] reads either kind from a folder.
package tokenizer

import "fmt"

// Tokenizer is what the language models and the data sets need of a tokenizer.
type Tokenizer interface {
	// Encode gives the ids of the text's tokens, without an end-of-sequence token and without padding.
	Encode(text string) ([]int, error)
	// EncodePrompt gives the ids of the text's tokens with the special tokens that a checkpoint expects
	// around a prompt. A tokenizer without such tokens gives what Encode gives.
	EncodePrompt(text string) ([]int, error)
	// Decode gives the text of the ids up to the first end-of-sequence or padding token.
	Decode(ids []int) string
	// Size is the number of ids: each is in [0, Size).
	Size() int
	// Pad is the id that fills rows of unequal length.
	Pad() int
	// EOS is the id that ends a sequence.
	EOS() int
	// SaveTo writes the files that [Load] reads to an existing folder.
	SaveTo(folder string) error
}

// UnknownWordError says that a text holds a word that the vocabulary does not have, and there is no <unk> for it.
type UnknownWordError struct {
	Word string
	Size int // words in the vocabulary
}

func (e *UnknownWordError) Error() string {
	return fmt.Sprintf("tokenizer: the word %q is not among the %d words of the vocabulary, which has no %s; change the text or use a vocabulary that holds the word", e.Word, e.Size, UnkWord)
}
