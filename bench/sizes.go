package bench

import (
	"cmp"
	"embed"

	"espalier/model"
	"espalier/torch"
)

//go:embed sizes
var sizeConfigs embed.FS

// size is a network and how much it is given: the work of a group of measures.
type size struct {
	name     string // before those of the measures; the default job's has none
	config   func() (*model.Config, error)
	batches  int  // of training
	pictures int  // of a batch, each with its five questions
	asked    int  // pictures that answer one question each
	compared int  // of these answers, and training steps at most three, that both sides must agree on
	most     int  // tokens of an answer, end-of-sequence included
	steps    int  // training steps in a round
	answers  int  // in a round
	half     bool // its weights are bfloat16
	largest  float64
}

// largest is how long a training step may take, of PyTorch's.
var (
	defaultSize = size{config: read("default"), batches: 4, pictures: 32, asked: 60, compared: 60, most: 4, steps: 3, answers: 40, largest: .9}
	// vitB is ViT-B, a Q-Former of 12 layers and OPT-125M: 311 million parameters.
	vitB = size{name: "ViT-B + 125M", config: read("vit-b"), batches: 1, pictures: 2, asked: 16, compared: 2, most: 10, steps: 1, answers: 2, largest: 1}
	// block has one block a tower with the widths of BLIP-2-OPT-2.7B.
	block = size{name: "a block of 2.7B", config: read("block"), batches: 1, pictures: 2, asked: 16, compared: 2, most: 10, steps: 1, answers: 2, largest: 1}
)

// The sizes for a GPU: a teacher of 5.4 billion parameters, whose vision tower and Q-Former are those of BLIP-2, and a student of .3 billion. The
// student is trained too, so its weights are float32.
var (
	large = size{name: "5.4B", config: read("5b"), batches: 2, pictures: 8, asked: 64, compared: 8, most: 10, steps: 1, answers: 4, half: true, largest: 1}
	small = size{name: ".3B", config: read("300m"), batches: 2, pictures: 16, asked: 64, compared: 8, most: 10, steps: 3, answers: 8, largest: 1}
)

func read(name string) func() (*model.Config, error) {
	return func() (*model.Config, error) {
		text, err := sizeConfigs.ReadFile("sizes/" + name + ".json")
		if err != nil {
			return nil, err
		}
		return model.ParseConfig(text)
	}
}

// label names a size where nothing else says which it is.
func (s size) label() string { return cmp.Or(s.name, "default size") }

func (s size) dtype() torch.DType {
	if s.half {
		return torch.BFloat16
	}
	return torch.Float32
}

func (s size) measure(name string) string {
	if s.name == "" {
		return name
	}
	return s.name + ": " + name
}

// wider is the default size with all widths so many times as large, in heads of the same size.
func wider(name string, numerator, denominator int) size {
	s := defaultSize
	s.name, s.asked, s.compared = name, 1, 1
	s.config = func() (*model.Config, error) {
		c, err := defaultSize.config()
		if err != nil {
			return nil, err
		}
		v, q, t := &c.Vision, &c.QFormer, &c.Text
		for _, n := range []*int{&v.Hidden, &v.Intermediate, &v.Heads, &q.Hidden, &q.Intermediate, &q.Heads, &q.Encoder, &t.Hidden, &t.Intermediate, &t.Heads, &t.Embedding} {
			*n = *n * numerator / denominator
		}
		return c, nil
	}
	return s
}

// batched is the default size with other batches.
func batched(name string, pictures int) size {
	s := defaultSize
	s.name, s.pictures, s.asked, s.compared = name, pictures, 1, 1
	return s
}
