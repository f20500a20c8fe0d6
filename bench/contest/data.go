package contest

import (
	"slices"

	"espalier/pipeline"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/torch"
	"espalier/torch/checkpoint"
)

// writeData writes the pictures and the tokens of their questions, and the order in which each cut's training and scores see them: what the run
// itself would read.
func writeData(path string, a *pipeline.Apart, j *job) error {
	out := map[string]*torch.Tensor{}
	return torch.Run(func(*torch.Scope) error {
		for name, c := range map[string]*corpus.Corpus{"train": a.Train, "test": a.Test, "ood": a.OOD} {
			if err := addSplit(out, name, c); err != nil {
				return err
			}
		}
		n := a.Train.Split.Len()
		for _, s := range j.Stages {
			for _, c := range s.Cuts {
				out[c.Order] = torch.FromInts(slices.Collect(first(data.Endless(n, c.order, 0), c.Steps*s.How.Batch)), torch.CPU, c.Steps*s.How.Batch)
				size := min(j.SampleBatch, n)
				scored := max(1, min(a.Config.Importance.Pictures, n)/size) * size
				out[c.Sample] = torch.FromInts(data.Order(n, c.sample, 0)[:scored], torch.CPU, scored)
			}
		}
		return checkpoint.WriteSafeTensors(path, out, nil)
	})
}

// first is the first n of a sequence.
func first(all func(func(int) bool), n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		left := n
		for v := range all {
			if left == 0 || !yield(v) {
				return
			}
			left--
		}
	}
}

// unscored fills answers up.
const unscored = -1

// addSplit adds a split's pixels, prompts and answers. Pictures have as many questions each, whose prompts are of one length.
func addSplit(out map[string]*torch.Tensor, name string, c *corpus.Corpus) error {
	n, each := c.Split.Len(), len(c.Asked.Questions[0])
	prompt, answer := len(c.Asked.Questions[0][0].Prompt), 0
	for _, questions := range c.Asked.Questions {
		for _, q := range questions {
			if answer = max(answer, len(q.Answer)); len(questions) != each || len(q.Prompt) != prompt || q.Answer == nil {
				return fault.Inputf("contest: split %s: the contestants need as many questions about each picture, of one length and with answers", name)
			}
		}
	}
	var prompts, answers []int
	for _, questions := range c.Asked.Questions {
		for _, q := range questions {
			prompts = append(prompts, q.Prompt...)
			answers = append(append(answers, q.Answer...), slices.Repeat([]int{unscored}, answer-len(q.Answer))...)
		}
	}
	size := c.Pre.Size
	bytes := 3 * size * size
	pixels := make([]uint8, n*bytes)
	for i := range n {
		if err := c.Split.Pixels(i, pixels[i*bytes:(i+1)*bytes]); err != nil {
			return err
		}
	}
	out[name+".pixels"] = torch.From(pixels, torch.CPU, n, 3, size, size)
	out[name+".prompts"] = torch.FromInts(prompts, torch.CPU, n, each, prompt)
	out[name+".answers"] = torch.FromInts(answers, torch.CPU, n, each, answer)
	return nil
}
