package teacher

import (
	"context"

	"espalier/distillation"
	"espalier/pipeline/chain"
	"espalier/pipeline/corpus"
	"espalier/pipeline/network"
)

// Outputs are what the losses need of the teacher, for every training picture.
type Outputs struct {
	chain.Result
	teacher *Teacher
}

// Open opens the file. It may need the teacher's head, which stays in memory then.
func (o *Outputs) Open() (*distillation.Outputs, error) {
	return distillation.OpenOutputs(o.file(), o.teacher.Head)
}
