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
	// EncoderDecoder says that answers go into a decoder of their own, and so follow no prompt.
	EncoderDecoder bool

	ends  []int // the config's, besides the tokenizer's own
	image *int  // the id that stands for the picture in transformers' input_ids; nil where there is none
}

// InstructionFolder is where transformers keeps the Q-Former's tokenizer within a checkpoint.
const InstructionFolder = "qformer_tokenizer"

// place is where the question stands in a template.
const place = "{question}"

// Load reads the tokenizers of a checkpoint folder. Without a template the checkpoint's own counts, where it has one.
func Load(folder string, c *model.Config, template string) (v Words, err error) {
	if template == "" {
		template = c.Prompt
	}
	if template != "" && !strings.Contains(template, place) {
		return v, fmt.Errorf("%s: the prompt %q has no %s, the place of the question; write it where the question goes", folder, template, place)
	}
	answers, err := tokenizer.Load(folder)
	if err != nil {
		return v, err
	}
	if s, ok := answers.(*tokenizer.Subword); ok { // a word list has an end of its own, whatever the config's default is
		eos, ends := answers.EOS(), c.Ends()
		if len(ends) > 0 && !slices.Contains(ends, eos) { // of several, the tokenizer's own is what its answers are trained to end with
			eos = ends[0]
		}
		s.SetSpecial(eos, c.Text.Pad)
	}
	v = New(answers, c)
	v.Template = template
	if v.Instruction == nil {
		return v, nil
	}
	inner := filepath.Join(folder, InstructionFolder)
	if _, err := os.Stat(inner); !errors.Is(err, fs.ErrNotExist) {
		if v.Instruction, err = tokenizer.Load(inner); err != nil {
			return v, err
		}
	}
	if n := v.Instruction.Size(); n > c.QFormer.Vocabulary {
		return v, fmt.Errorf("%s: the Q-Former reads %d words, its tokenizer has %d; put its own into the folder %s", folder, c.QFormer.Vocabulary, n, InstructionFolder)
	}
	return v, nil
}

// New are the words of a network with one vocabulary for all that it reads and says, as networks made for a trial have.
func New(answers tokenizer.Tokenizer, c *model.Config) Words {
	v := Words{Answers: answers, Template: c.Prompt, EncoderDecoder: c.Text.EncoderDecoder(), image: c.ImageToken}
	if _, list := answers.(*tokenizer.WordLevel); !list || slices.Contains(c.Ends(), answers.EOS()) {
		v.ends = c.Ends()
	}
	if c.Instruct() {
		v.Instruction = answers
	}
	return v
}

// Ends are the ids that end an answer. The first is the one that answers are learnt with.
func (v Words) Ends() (out []int) {
	for _, id := range append([]int{v.Answers.EOS()}, v.ends...) {
		if id >= 0 && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// Question are the ids of a question. One that names a place for the picture is an error.
func (v Words) Question(text string) (q model.Question, err error) {
	prompt := v.framed(text)
	q.Prompt, err = v.Answers.EncodePrompt(prompt)
	if fault := v.checkPlaceholder(prompt, q.Prompt); fault != nil {
		return q, fault // says more than that the word is unknown
	}
	if err != nil || v.Instruction == nil {
		return q, err
	}
	q.Instruction, err = v.Instruction.EncodePrompt(prompt)
	return q, err
}

// framed is what a question becomes before it is read.
func (v Words) framed(question string) string {
	if v.Template == "" {
		return question
	}
	return strings.ReplaceAll(v.Template, place, question)
}

// Keep are the words of a network whose language model has only these tokens, in order. The Q-Former keeps all of its own.
func (v Words) Keep(tokens []int) (out Words, err error) {
	out = v
	if out.Answers, err = tokenizer.Keep(v.Answers, tokens); err != nil {
		return v, err
	}
	out.ends, out.image = nil, nil
	for i, id := range tokens {
		if slices.Contains(v.ends, id) {
			out.ends = append(out.ends, i)
		}
		if v.image != nil && id == *v.image {
			out.image = &i
		}
	}
	return out, nil
}

// Save writes the tokenizers beside a checkpoint.
func (v Words) Save(folder string) error {
	if err := v.Answers.SaveTo(folder); err != nil || v.Instruction == nil || v.Instruction == v.Answers {
		return err
	}
	return v.Instruction.SaveTo(filepath.Join(folder, InstructionFolder))
}
