package stage

import (
	"slices"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
)

// hearsVaried tells whether the teacher answers changed pictures at each step.
func hearsVaried(c *config.Config) bool {
	v := c.Data.Vary
	return v != nil && v.Outputs == "varied" && corpus.Vary(v) != (data.Vary{})
}

// ReadsOutputs tells whether a run needs the teacher's kept outputs: students on changed pictures may learn from the teacher itself.
func ReadsOutputs(c *config.Config) bool {
	return !hearsVaried(c) || slices.ContainsFunc(c.Stages, func(s config.StageConfig) bool {
		tried, _ := s.Tried()
		return slices.ContainsFunc(tried, func(by config.Candidate) bool { return by.Loss == "distillation" })
	})
}

// heard gives what the teacher says to a batch of these pictures.
type heard func(pictures []int, packed *model.Batch) *distillation.Teacher

// hear gives what is kept of the teacher, or where there is one asks the teacher itself.
func hear(in distilInput) (h heard, end func() error, err error) {
	if in.Heard != nil {
		t, err := in.Heard.Get()
		return func(_ []int, packed *model.Batch) *distillation.Teacher { return distillation.Heard(t, packed) }, func() error { return nil }, err
	}
	outputs, err := in.Outputs.Open()
	if err != nil {
		return nil, nil, err
	}
	return func(pictures []int, _ *model.Batch) *distillation.Teacher {
		return outputs.Teacher(pictures, in.Train.On)
	}, outputs.Close, nil
}
