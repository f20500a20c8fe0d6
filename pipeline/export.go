package pipeline

import (
	"fmt"
	"math"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

// formatTransformers asks for a student that plain transformers loads.
const formatTransformers = "transformers"

// dtypeOfTeacher asks for the student's weights in the dtypes of the teacher's.
const dtypeOfTeacher = "teacher"

// exportDtypes is how the student's checkpoint holds its weights.
func (c *Config) exportDtypes(teacher model.Network) model.Dtypes {
	own := model.DtypesOf(teacher)
	for _, d := range []torch.DType{torch.Float32, torch.BFloat16, torch.Float16, torch.Float64} {
		if c.Export.DType == d.String() {
			return own.All(d)
		}
	}
	return own
}

// hubNetwork is a network that knows whether transformers' config can say its sizes, and its form there.
type hubNetwork interface {
	ForHub() (model.Network, error)
	HubConfig() (*model.Config, error)
}

// fitExport changes what the stages keep so that the final student's sizes can stand in the config of the teacher's family,
// and says what it changed. What no change can make fit is an error, before anything is trained.
func (c *Config) fitExport(teacher model.Network) (notes []string, err error) {
	if c.Export.Format != formatTransformers {
		return nil, nil
	}
	for _, tower := range towers {
		if note := c.fitTower(teacher, tower); note != "" {
			notes = append(notes, note)
		}
	}
	final, err := c.finalNetwork(teacher)
	if err != nil {
		return notes, err
	}
	hub, ok := final.(hubNetwork)
	if !ok {
		return notes, Inputf("export.format = %q: this kind of network has no form in transformers", c.Export.Format)
	}
	if final, err = hub.ForHub(); err == nil {
		_, err = final.(hubNetwork).HubConfig()
	}
	if err != nil {
		return notes, Inputf("export.format = %q: the student would not fit: %w; cut heads in a stage inner and widths in a stage hidden, "+
			"or leave out export.format", c.Export.Format, err)
	}
	return notes, nil
}

// takeHubForm goes on with the teacher as transformers declares it, when the student is meant for transformers: so all
// figures are those of the files that it reads.
func (r *run) takeHubForm() error {
	if r.cfg.Export.Format != formatTransformers {
		return nil
	}
	own := r.teacher
	n, err := own.(hubNetwork).ForHub()
	if err != nil || n == own {
		return err
	}
	r.note("export: the table of positions gets two rows of zeros in front, as transformers' OPT has them: %d parameters more, which nothing reads",
		n.Store().Count()-own.Store().Count())
	r.teacher = n
	own.Store().Free()
	return nil
}

// saveStudent writes the result. transformers reads a word list, which no published checkpoint has, only where a file tells it to.
func (r *run) saveStudent(student model.Network) error {
	folder := r.path("student")
	if err := r.saveModel(student, folder); err != nil {
		return err
	}
	words, ok := r.words.Answers.(*tokenizer.WordLevel)
	if !ok || r.cfg.Export.Format != formatTransformers {
		return nil
	}
	return words.SaveConfig(folder)
}

// keepOf is what a stage keeps of a tower.
func (s *StageConfig) keepOf(tower string) *TowerKeep {
	return map[string]*TowerKeep{"vision": &s.Keep.Vision, "qformer": &s.Keep.QFormer, "language": &s.Keep.Language}[tower]
}

// fitTower makes the width of a tower heads × head size, where its config says no head size, or a multiple of the heads,
// which LLaMA's demands. The width that was asked for decides: it makes most of the size.
func (c *Config) fitTower(n model.Network, tower string) string {
	var heads, hidden *nn.Axis
	for _, a := range n.Store().Axes() {
		switch {
		case a.Tower != tower:
		case a.Kind == nn.Hidden:
			hidden = a
		case a.Kind == nn.Heads && heads == nil:
			heads = a
		}
	}
	var inner []int // the stages that cut heads, and the last that cuts widths
	last := -1
	h, w := heads.Units(), hidden.Units()
	for i := range c.Stages {
		s := &c.Stages[i]
		if n := s.target(heads, h); s.Name == "inner" && n != h {
			inner, h = append(inner, i), n
		}
		if n := s.target(hidden, w); s.Name == "hidden" && n != w {
			last, w = i, n
		}
	}
	size := heads.Block()
	kind := n.Config().Text.ModelType
	switch {
	case last < 0:
		return "" // widths stay: fitExport reports heads that do not fit
	case tower == "language" && kind == "t5":
		return ""
	case tower == "language" && kind == "llama":
		if w%h == 0 {
			return ""
		}
		to := min(hidden.Units()/h, int(math.Round(float64(w)/float64(h)))) * h
		c.Stages[last].keepOf(tower).Units = Keep{Units: to}
		return fmt.Sprintf("export: %s width %d → %d: transformers' LlamaConfig wants a multiple of the %d heads", tower, w, to, h)
	case h*size == w || len(inner) == 0:
		return ""
	}
	to := min(max(1, int(math.Round(float64(w)/float64(size)))), heads.Units())
	for _, i := range inner {
		c.Stages[i].keepOf(tower).Heads = Keep{Units: to}
	}
	c.Stages[last].keepOf(tower).Units = Keep{Units: to * size}
	return fmt.Sprintf("export: %s heads %d → %d and width %d → %d: transformers takes the head size, here %d, to be width / heads",
		tower, h, to, w, to*size, size)
}

// finalNetwork declares the network that the stages will leave; it has no values.
func (c *Config) finalNetwork(n model.Network) (model.Network, error) {
	for i := range c.Stages {
		next, err := c.Stages[i].declare(n, c.Stages[i].Cuts)
		if err != nil {
			return nil, err
		}
		n = next
	}
	return n, nil
}

// choose picks the units that stay; under export to transformers the Q-Former's layers must follow the frequency of its
// cross-attention.
func (c *Config) choose(n model.Network, a *nn.Axis, scores []float64, units int) ([]int, error) {
	if c.Export.Format == formatTransformers && a.Kind == nn.Blocks && a.Tower == "qformer" {
		return pruning.ChoosePattern(a, scores, units, n.Config().QFormer.CrossEvery)
	}
	return pruning.Choose(a, scores, units)
}
