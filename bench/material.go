package bench

import (
	"fmt"
	"path/filepath"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/torch"
	"espalier/torch/checkpoint"
)

// mostTokens are those of an answer of a checkpoint that is measured alone, end-of-sequence included.
const mostTokens = 4

// material is the pictures and questions that both sides work on.
type material struct {
	size
	config   *model.Config
	pre      model.Preprocessor
	training []trainingBatch
	askings  []asked
	eos      int
}

type trainingBatch struct {
	pixels    []uint8
	questions [][]model.Question
}

type asked struct {
	pixels []uint8
	prompt []int
}

func drawMaterial(s size) (*material, error) {
	c, err := s.config()
	if err != nil {
		return nil, err
	}
	set, err := data.Open(data.Config{Source: "ads", Size: c.Vision.Image, Train: s.batches * s.pictures, Validation: 1, Test: s.asked, OOD: 1})
	if err != nil {
		return nil, err
	}
	m := &material{size: s, config: c, pre: model.AdsPreprocessor(c.Vision.Image), eos: set.Tokenizer.EOS()}
	pictureBytes := 3 * m.pre.Size * m.pre.Size
	question := func(q data.Question) (out model.Question, err error) {
		if out.Prompt, err = set.Tokenizer.Encode(q.Text); err != nil {
			return out, err
		}
		out.Answer, err = set.Tokenizer.Encode(q.Answers[0])
		out.Answer = append(out.Answer, m.eos)
		return out, err
	}
	for i := range s.batches {
		b := trainingBatch{pixels: make([]uint8, s.pictures*pictureBytes), questions: make([][]model.Question, s.pictures)}
		for k := range s.pictures {
			p := i*s.pictures + k
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
		m.training = append(m.training, b)
	}
	for p := range s.asked {
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
		m.askings = append(m.askings, a)
	}
	return m, nil
}

// pack makes batch i on a device.
func (m *material) pack(i int, on torch.Device) (*model.Batch, error) {
	b := m.training[i%len(m.training)]
	return model.Form{}.Pack(m.pre.Pictures(b.pixels, on), b.questions, on)
}

// write gives the material to the peer, the batches as they are packed.
func (m *material) write(folder string) error {
	return torch.Run(func(*torch.Scope) error {
		out := map[string]*torch.Tensor{}
		for i, b := range m.training {
			packed, err := m.pack(i, torch.CPU)
			if err != nil {
				return err
			}
			out[fmt.Sprintf("batch.%d.pixels", i)] = torch.From(b.pixels, torch.CPU, m.pictures, 3, m.pre.Size, m.pre.Size)
			for name, t := range map[string]*torch.Tensor{"ids": packed.IDs, "segments": packed.Segments, "positions": packed.Positions,
				"rows": packed.Rows, "targets": packed.Targets} {
				out[fmt.Sprintf("batch.%d.%s", i, name)] = t
			}
		}
		var pixels []uint8
		var prompts []int
		for _, a := range m.askings {
			pixels, prompts = append(pixels, a.pixels...), append(prompts, a.prompt...)
		}
		out["answer.pixels"] = torch.From(pixels, torch.CPU, len(m.askings), 3, m.pre.Size, m.pre.Size)
		out["answer.prompts"] = torch.FromInts(prompts, torch.CPU, len(m.askings), len(m.askings[0].prompt))
		return checkpoint.WriteSafeTensors(filepath.Join(folder, "data.safetensors"), out, nil)
	})
}
