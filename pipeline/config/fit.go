package config

import (
	"fmt"
	"math"

	"espalier/model"
	"espalier/pipeline/fault"
	"espalier/torch"
	"espalier/torch/nn"
)

// FormatTransformers asks for a student that plain transformers loads.
const FormatTransformers = "transformers"

// ExportDtypes is how the student's checkpoint holds its weights; own is how the teacher's does.
func (c *Config) ExportDtypes(own model.Dtypes) model.Dtypes {
	for _, d := range []torch.DType{torch.Float32, torch.BFloat16, torch.Float16, torch.Float64, torch.Int8} {
		if c.Export.DType == d.String() {
			return own.All(d)
		}
	}
	return own
}

// HubNetwork is a network that knows whether transformers' config can say its sizes, and its form there.
type HubNetwork interface {
	ForHub() (model.Network, error)
	HubConfig() (*model.Config, error)
}

// FitExport changes what the stages keep so that the final student's sizes can stand in the config of the teacher's family,
// and says what it changed. What no change can make fit is an error, before anything is trained.
func (c *Config) FitExport(teacher model.Network) (notes []string, err error) {
	if c.Export.Format != FormatTransformers {
		return nil, nil
	}
	if c.Export.DType == torch.Int8.String() {
		return nil, fault.Inputf("export.dtype = %q: transformers does not read these weights; leave out export.format = %q, or write float32, bfloat16 or float16", c.Export.DType, FormatTransformers)
	}
	notes = c.FitWidths(teacher)
	final, err := c.Stages.Final(teacher)
	if err != nil {
		return notes, err
	}
	hub, ok := final.(HubNetwork)
	if !ok {
		return notes, fault.Inputf("export.format = %q: this kind of network has no form in transformers", c.Export.Format)
	}
	if final, err = hub.ForHub(); err == nil {
		_, err = final.(HubNetwork).HubConfig()
	}
	if err != nil {
		return notes, fault.Inputf("export.format = %q: the student would not fit: %w; cut heads in a stage inner and widths in a stage hidden, "+
			"or leave out export.format", c.Export.Format, err)
	}
	return notes, nil
}

// FitWidths is the part of FitExport that changes what the stages keep.
func (c *Config) FitWidths(teacher model.Network) (notes []string) {
	if c.Export.Format != FormatTransformers {
		return nil
	}
	for _, tower := range TowerNames {
		if note := c.Stages.fitTower(teacher, tower); note != "" {
			notes = append(notes, note)
		}
	}
	return notes
}

// HeadRule is what transformers wants of a tower's heads.
type HeadRule int

const (
	SizeFromWidth HeadRule = iota // the head size is width / heads
	WholeHeads                    // LLaMA: the width is a multiple of the heads, and rotary positions turn all of a head's pairs
	OwnSize                       // T5: heads, head size and width are three numbers
)

// HeadRuleOf is the rule for a tower of a network.
func HeadRuleOf(n model.Network, tower string) HeadRule {
	switch kind := n.Config().Text.ModelType; {
	case tower == "language" && kind == "llama":
		return WholeHeads
	case tower == "language" && kind == "t5":
		return OwnSize
	}
	return SizeFromWidth
}

// fitTower makes a tower's widths and heads keep its rule. The width that was asked for decides: it makes most of the size.
func (l Stages) fitTower(n model.Network, tower string) string {
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
	if heads == nil { // a decoder alone has one tower
		return ""
	}
	var inner []int // the stages that cut heads, and the last that cuts widths
	last := -1
	h, w := heads.Units(), hidden.Units()
	for i := range l {
		s := &l[i]
		if n := s.Target(heads, h); s.Name == "inner" && n != h {
			inner, h = append(inner, i), n
		}
		if n := s.Target(hidden, w); s.Name == "hidden" && n != w {
			last, w = i, n
		}
	}
	size, cutSize := heads.Block(), false
	for i := range l {
		s := &l[i]
		if n := s.Keep.Of(tower).HeadSize.Count(size, headMultiple); s.Name == "inner" && n != size {
			size, cutSize = n, true
		}
	}
	switch rule := HeadRuleOf(n, tower); {
	case last < 0:
		return "" // widths stay: FitExport reports heads that do not fit
	case rule == OwnSize:
		return ""
	case rule == WholeHeads:
		if w%h == 0 {
			return ""
		}
		to := min(hidden.Units()/h, int(math.Round(float64(w)/float64(h)))) * h
		l[last].Keep.Of(tower).Units = Keep{Units: to}
		return fmt.Sprintf("export: %s width %d → %d: transformers' LlamaConfig wants a multiple of the %d heads", tower, w, to, h)
	case h*size == w:
		return ""
	case cutSize: // many narrow heads rather than few wide ones: the size follows from their number
		to := min(max(1, int(math.Round(float64(w)/float64(h)))), heads.Block(), hidden.Units()/h)
		for i := range l {
			if k := l[i].Keep.Of(tower); l[i].Name == "inner" && !k.HeadSize.Whole() {
				k.HeadSize = Keep{Units: to}
			}
		}
		l[last].Keep.Of(tower).Units = Keep{Units: to * h}
		return fmt.Sprintf("export: %s head size %d → %d and width %d → %d: transformers takes the head size to be width / heads, here %d",
			tower, size, to, w, to*h, h)
	case len(inner) == 0:
		return ""
	}
	to := min(max(1, int(math.Round(float64(w)/float64(size)))), heads.Units())
	for _, i := range inner {
		l[i].Keep.Of(tower).Heads = Keep{Units: to}
	}
	l[last].Keep.Of(tower).Units = Keep{Units: to * size}
	return fmt.Sprintf("export: %s heads %d → %d and width %d → %d: transformers takes the head size, here %d, to be width / heads",
		tower, h, to, w, to*size, size)
}
