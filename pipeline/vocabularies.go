package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"espalier/model"
	"espalier/model/tokenizer"
)

// vocabularies turn questions and answers into ids, and ids into answers.
type vocabularies struct {
	answers     tokenizer.Tokenizer // the language model's; it reads the questions too
	instruction tokenizer.Tokenizer // the Q-Former's, of a network whose Q-Former reads the question; else nil
	template    string              // of a prompt, with {question}; "" is the question alone
}

// instructionFolder is where transformers keeps the Q-Former's tokenizer within a checkpoint.
const instructionFolder = "qformer_tokenizer"

// loadVocabularies reads the tokenizers of a checkpoint folder.
func loadVocabularies(folder string, c *model.Config, template string) (v vocabularies, err error) {
	v.template = template
	if v.answers, err = tokenizer.Load(folder); err != nil {
		return v, err
	}
	if s, ok := v.answers.(*tokenizer.Subword); ok {
		s.SetSpecial(c.Text.EOS, c.Text.Pad)
	}
	if !c.Instruct() {
		return v, nil
	}
	inner := filepath.Join(folder, instructionFolder)
	if _, err := os.Stat(inner); errors.Is(err, fs.ErrNotExist) { // one vocabulary for both, as networks made for a trial have
		v.instruction = v.answers
	} else if v.instruction, err = tokenizer.Load(inner); err != nil {
		return v, err
	}
	if n := v.instruction.Size(); n > c.QFormer.Vocabulary {
		return v, fmt.Errorf("%s: the Q-Former reads %d words, its tokenizer has %d; put its own into the folder %s", folder, c.QFormer.Vocabulary, n, instructionFolder)
	}
	return v, nil
}

// question are the ids of a question.
func (v vocabularies) question(text string) (q model.Question, err error) {
	prompt := text
	if v.template != "" {
		prompt = strings.ReplaceAll(v.template, "{question}", text)
	}
	if q.Prompt, err = v.answers.EncodePrompt(prompt); err != nil || v.instruction == nil {
		return q, err
	}
	q.Instruction, err = v.instruction.EncodePrompt(prompt)
	return q, err
}

// save writes the tokenizers beside a checkpoint.
func (v vocabularies) save(folder string) error {
	if err := v.answers.SaveTo(folder); err != nil || v.instruction == nil || v.instruction == v.answers {
		return err
	}
	inner := filepath.Join(folder, instructionFolder)
	if err := os.MkdirAll(inner, 0o755); err != nil {
		return err
	}
	return v.instruction.SaveTo(inner)
}
