// Package prompt turns questions into what a checkpoint reads, and ids into answers, with the tokenizers of its folder.
package prompt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier/model"
	"espalier/model/tokenizer"
)

// Words turn questions and answers into ids, and ids into answers.
type Words struct {
	Answers     tokenizer.Tokenizer // the language model's; it reads the questions too
	Instruction tokenizer.Tokenizer // the Q-Former's, of a network whose Q-Former reads the question; else nil
	Template    string              // of a prompt, with {question}; "" is the question alone
}

// instructionFolder is where transformers keeps the Q-Former's tokenizer within a checkpoint.
const instructionFolder = "qformer_tokenizer"

// Load reads the tokenizers of a checkpoint folder.
func Load(folder string, c *model.Config, template string) (v Words, err error) {
	v.Template = template
	if v.Answers, err = tokenizer.Load(folder); err != nil {
		return v, err
	}
	if s, ok := v.Answers.(*tokenizer.Subword); ok {
		eos := c.Text.EOS
		if slices.Contains(c.Text.Ends, s.EOS()) { // of several, the tokenizer's own is what its prompts are trained to end with
			eos = s.EOS()
		}
		s.SetSpecial(eos, c.Text.Pad)
	}
	if !c.Instruct() {
		return v, nil
	}
	inner := filepath.Join(folder, instructionFolder)
	if _, err := os.Stat(inner); errors.Is(err, fs.ErrNotExist) { // one vocabulary for both, as networks made for a trial have
		v.Instruction = v.Answers
	} else if v.Instruction, err = tokenizer.Load(inner); err != nil {
		return v, err
	}
	if n := v.Instruction.Size(); n > c.QFormer.Vocabulary {
		return v, fmt.Errorf("%s: the Q-Former reads %d words, its tokenizer has %d; put its own into the folder %s", folder, c.QFormer.Vocabulary, n, instructionFolder)
	}
	return v, nil
}

// Question are the ids of a question.
func (v Words) Question(text string) (q model.Question, err error) {
	prompt := text
	if v.Template != "" {
		prompt = strings.ReplaceAll(v.Template, "{question}", text)
	}
	if q.Prompt, err = v.Answers.EncodePrompt(prompt); err != nil || v.Instruction == nil {
		return q, err
	}
	q.Instruction, err = v.Instruction.EncodePrompt(prompt)
	return q, err
}

// Save writes the tokenizers beside a checkpoint.
func (v Words) Save(folder string) error {
	if err := v.Answers.SaveTo(folder); err != nil || v.Instruction == nil || v.Instruction == v.Answers {
		return err
	}
	inner := filepath.Join(folder, instructionFolder)
	if err := os.MkdirAll(inner, 0o755); err != nil {
		return err
	}
	return v.Instruction.SaveTo(inner)
}
