package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"espalier/model"
	"espalier/model/image"
	"espalier/model/prompt"
	"espalier/torch"
)

// answer is what -json prints.
type answer struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	IDs      []int  `json:"ids"`
}

func generate(flags *flag.FlagSet) func([]string, io.Writer) error {
	folder := flags.String("m", "", "checkpoint `folder`")
	picture := flags.String("image", "", "PNG, JPEG or WebP `file`")
	question := flags.String("question", "", "what is asked")
	template := flags.String("prompt", "", "what the question becomes, as `\"Question: {question} Answer:\"`; empty is the question alone")
	tokens := flags.Int("max-new-tokens", 16, "of the answer, end-of-sequence included")
	beams := flags.Int("num-beams", 1, "hypotheses; 1 is greedy")
	asJSON := flags.Bool("json", false, "print question, answer and ids as JSON")
	on := device(flags)
	return func(args []string, out io.Writer) error {
		if *folder == "" || *picture == "" || *question == "" || len(args) > 0 {
			return usagef("model generate: -m, -image and -question are needed, and nothing more")
		}
		a, err := ask(*folder, *picture, *question, *template, *on, model.GenerateOptions{MaxTokens: *tokens, Beams: *beams})
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(out).Encode(a)
		}
		_, err = fmt.Fprintln(out, a.Answer)
		return err
	}
}

func ask(folder, picture, question, template, on string, o model.GenerateOptions) (*answer, error) {
	where, err := torch.ParseDevice(on)
	if err != nil {
		return nil, err
	}
	c, err := model.LoadConfig(folder)
	if err != nil {
		return nil, err
	}
	words, err := prompt.Load(folder, c, template)
	if err != nil {
		return nil, err
	}
	pre, err := model.LoadPreprocessor(folder)
	if err != nil {
		return nil, err
	}
	rgb, err := image.Load(picture)
	if err != nil {
		return nil, err
	}
	q, err := words.Question(question)
	if err != nil {
		return nil, err
	}
	m, err := model.Load(folder, where)
	if err != nil {
		return nil, err
	}
	defer m.Store().Free()
	o.EOS = words.Answers.EOS()
	a := &answer{Question: question}
	err = torch.Run(func(*torch.Scope) error {
		pixels := pre.Pictures(rgb.Resize(pre.Size, pre.Size).Pix, where)
		ids, err := m.Generate(pixels, [][]model.Question{{q}}, o)
		if err != nil {
			return err
		}
		a.IDs, a.Answer = append([]int{}, ids[0][0]...), words.Answers.Decode(ids[0][0])
		return nil
	})
	return a, err
}
