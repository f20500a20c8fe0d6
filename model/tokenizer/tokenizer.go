// Package tokenizer turns text into token ids and back.
//
// It holds the word-level tokenizer of models that are trained here. It reads and writes Hugging Face's
// tokenizer.json, so that the `tokenizers` library loads what is written.
package tokenizer

import "fmt"

// Tokenizer is what the language models and the data sets need of a tokenizer.
type Tokenizer interface {
	// Encode gives the ids of the text's tokens, without an end-of-sequence token and without padding.
	Encode(text string) ([]int, error)
	// Decode gives the text of the ids up to the first end-of-sequence or padding token.
	Decode(ids []int) string
	// Size is the number of ids: each is in [0, Size).
	Size() int
	// Pad is the id that fills rows of unequal length.
	Pad() int
	// EOS is the id that ends a sequence.
	EOS() int
}

// UnknownWordError says that a text holds a word that the vocabulary lacks and has no <unk> for.
type UnknownWordError struct {
	Word string
	Size int // words in the vocabulary
}

func (e *UnknownWordError) Error() string {
	return fmt.Sprintf("tokenizer: the word %q is not among the %d words of the vocabulary, which has no %s; change the text or use a vocabulary that holds the word", e.Word, e.Size, UnkWord)
}
