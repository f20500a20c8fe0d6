package config

import (
	"slices"

	"espalier/model"
	"espalier/torch/nn"
)

// Gentler is the stage with more cuts and steps, as its retry says.
func (s StageConfig) Gentler() StageConfig {
	s.Cuts *= s.Retry.Cuts
	s.Distil.Steps = s.Retry.More(s.Distil.Steps)
	if s.Distil.Steps > 0 {
		s.Distil.Steps = max(s.Distil.Steps, s.Cuts)
	}
	return s
}

// More is so many steps by the factor of retry.
func (r RetryConfig) More(steps int) int { return int(r.Steps * float64(steps)) }

// HalfBack is the configuration with a stage that cuts a network half as far, in units of each axis. There is none where the units
// are too few to be cut by half, or where the later stages and the export, which asks for sizes that fit each other, do not allow it.
func (c *Config) HalfBack(stage int, n, teacher model.Network) (*Config, bool) {
	out := *c
	out.Stages = slices.Clone(c.Stages)
	s := &out.Stages[stage]
	half := func(a *nn.Axis) Keep {
		return Keep{Share: (float64(c.Stages[stage].Target(a, a.Each()))/float64(a.Each()) + 1) / 2}
	}
	for _, a := range AxesOf(s.Kinds(), n) {
		switch t := s.Keep.Of(a.Tower); {
		case t == nil:
		case a.Kind == nn.Heads:
			t.Heads = half(a)
		case a.Kind == nn.FFN:
			t.FFN = half(a)
		case a.Kind == nn.KeySize || a.Kind == nn.ValueSize:
			t.HeadSize = half(a)
		case a.Kind == nn.Queries:
			s.Keep.Queries = half(a)
		case a.Kind == nn.Vocabulary: // what no text uses is not what was missing
		default:
			t.Units = half(a)
		}
	}
	smaller, larger := false, false
	for _, a := range AxesOf(s.Kinds(), n) {
		units := s.Target(a, a.Each())
		smaller = smaller || units < a.Each()
		larger = larger || units > c.Stages[stage].Target(a, a.Each())
	}
	if !smaller || !larger {
		return nil, false
	}
	notes, err := out.FitExport(teacher)
	return &out, err == nil && len(notes) == 0 && len(out.Stages.keepFaults(teacher)) == 0
}
