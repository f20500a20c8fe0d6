package bench

import (
	"fmt"
	"path/filepath"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/torch"
	"espalier/torch/checkpoint"
)

const (
	batches        = 4  // of training
	batchPictures  = 32 // each with its five questions
	answerPictures = 60 // each answers one question at a time
	mostTokens     = 4  // of an answer, end-of-sequence included
	pictureSize    = 48
	pictureBytes   = 3 * pictureSize * pictureSize
)

// material is the pictures and questions that both sides work on.
type material struct {
	batches []trainingBatch
	answers []asked
	eos     int
}

type trainingBatch struct {
	pixels    []uint8
	questions [][]model.Question
}

type asked struct {
	pixels []uint8
	prompt []int
}

func drawMaterial() (*material, error) {
	set, err := data.Open(data.Config{Source: "ads", Size: pictureSize, Train: batches * batchPictures, Validation: 1, Test: answerPictures, OOD: 1})
	if err != nil {
		return nil, err
	}
	m := &material{eos: set.Tokenizer.EOS()}
	question := func(q data.Question) (out model.Question, err error) {
		if out.Prompt, err = set.Tokenizer.Encode(q.Text); err != nil {
			return out, err
		}
		out.Answer, err = set.Tokenizer.Encode(q.Answers[0])
		out.Answer = append(out.Answer, m.eos)
		return out, err
	}
	for i := range batches {
		b := trainingBatch{pixels: make([]uint8, batchPictures*pictureBytes), questions: make([][]model.Question, batchPictures)}
		for k := range batchPictures {
			p := i*batchPictures + k
			if err := set.Train.Pixels(p, b.pixels[k*pictureBytes:(k+1)*pictureBytes]); err != nil {
				return nil, err
			}
			for _, q := range set.Train.Questions(p) {
				packed, err := question(q)
				if err != nil {
					return nil, err
				}
				b.questions[k] = append(b.questions[k], packed)
			}
		}
		m.batches = append(m.batches, b)
	}
	for p := range answerPictures {
		a := asked{pixels: make([]uint8, pictureBytes)}
		if err := set.Test.Pixels(p, a.pixels); err != nil {
			return nil, err
		}
		questions := set.Test.Questions(p)
		q, err := question(questions[p%len(questions)])
		if err != nil {
			return nil, err
		}
		a.prompt = q.Prompt
		m.answers = append(m.answers, a)
	}
	return m, nil
}

// pack makes batch i on a device.
func (m *material) pack(i int, on torch.Device) (*model.Batch, error) {
	b := m.batches[i%len(m.batches)]
	return model.Form{}.Pack(preprocessor.Pictures(b.pixels, on), b.questions, on)
}

var preprocessor = model.AdsPreprocessor(pictureSize)

// write gives the material to the peer, the batches as they are packed.
func (m *material) write(folder string) error {
	return torch.Run(func(*torch.Scope) error {
		out := map[string]*torch.Tensor{}
		for i, b := range m.batches {
			packed, err := m.pack(i, torch.CPU)
			if err != nil {
				return err
			}
			out[fmt.Sprintf("batch.%d.pixels", i)] = torch.From(b.pixels, torch.CPU, batchPictures, 3, pictureSize, pictureSize)
			for name, t := range map[string]*torch.Tensor{"ids": packed.IDs, "segments": packed.Segments, "positions": packed.Positions,
				"rows": packed.Rows, "targets": packed.Targets} {
				out[fmt.Sprintf("batch.%d.%s", i, name)] = t
			}
		}
		var pixels []uint8
		var prompts []int
		for _, a := range m.answers {
			pixels, prompts = append(pixels, a.pixels...), append(prompts, a.prompt...)
		}
		out["answer.pixels"] = torch.From(pixels, torch.CPU, len(m.answers), 3, pictureSize, pictureSize)
		out["answer.prompts"] = torch.FromInts(prompts, torch.CPU, len(m.answers), len(m.answers[0].prompt))
		return checkpoint.WriteSafeTensors(filepath.Join(folder, "data.safetensors"), out, nil)
	})
}
