package corpus

import (
	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/chain"
	"espalier/torch"
	"espalier/torch/nn"
)

// Reading is how a network takes pictures and questions.
type Reading struct {
	Words prompt.Words
	Pre   model.Preprocessor
	Form  model.Form
	On    torch.Device
	Files chain.Print // of what Words and Pre were read from
}

// Pictures are the pictures of so many rows from their bytes, as a network reads them.
func (r Reading) Pictures(pixels []uint8, rows int) *torch.Tensor {
	if r.Pre.Size == 0 {
		return model.NoPictures(rows, r.On)
	}
	return r.Pre.Pictures(pixels, r.On)
}

// Answer is the whole way from a picture's bytes and a question to the answer's text.
func (r Reading) Answer(n model.Network, pixels []uint8, question string, maxTokens int) (string, error) {
	q, err := r.Words.Question(question)
	if err != nil {
		return "", err
	}
	ids, err := r.generate(n, pixels, [][]model.Question{{q}}, model.GenerateOptions{MaxTokens: maxTokens})
	if err != nil {
		return "", err
	}
	return r.Words.Answers.Decode(ids[0][0]), nil
}

// generate gives the token ids of a network's answers to some questions about each picture. Answers end as the words say.
func (r Reading) generate(n model.Network, pixels []uint8, questions [][]model.Question, o model.GenerateOptions) (ids [][][]int, err error) {
	o.Ends = r.Words.Ends()
	err = torch.Run(func(*torch.Scope) error {
		ids, err = n.Generate(r.Pictures(pixels, len(questions)), questions, o)
		return err
	})
	return ids, err
}

// Save writes a network as a checkpoint that stands alone: weights, config, tokenizer and preprocessing.
func (r Reading) Save(n model.Network, folder string) error {
	if err := r.Words.Save(folder); err != nil {
		return err
	}
	pre := r.Pre
	for _, a := range n.Store().Axes() {
		if a.Kind == nn.Queries {
			var err error
			if pre, err = pre.WithQueries(a.Units()); err != nil {
				return err
			}
		}
	}
	if err := pre.Save(folder); err != nil {
		return err
	}
	return n.Save(folder)
}
