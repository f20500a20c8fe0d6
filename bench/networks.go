// Package bench measures this program beside the same work in PyTorch eager, on the same libtorch in the same run, and
// the size and speed of checkpoints.
package bench

import (
	"espalier/model"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

const weightSeed = 1

// newTeacher is a size's network with drawn weights: speed does not depend on their values.
func newTeacher(s size) (model.Network, error) {
	c, err := s.config()
	if err != nil {
		return nil, err
	}
	m, err := model.New(c)
	if err != nil {
		return nil, err
	}
	return m, m.Store().Init(weightSeed, torch.CPU)
}

// studentSizes are those of the default job's student: 164,412 of 3,044,640 parameters.
var studentSizes = map[string]map[nn.Kind]int{
	"vision":   {nn.Blocks: 2, nn.Heads: 2, nn.FFN: 208, nn.Hidden: 44},
	"qformer":  {nn.Blocks: 2, nn.Heads: 2, nn.FFN: 168, nn.Hidden: 32},
	"language": {nn.Blocks: 2, nn.Heads: 2, nn.FFN: 168, nn.Hidden: 32},
}

// newStudent is the teacher cut to the student's sizes: blocks first, then what is in them.
func newStudent(teacher model.Network) (model.Network, error) {
	shallow, err := cut(teacher, nn.Blocks)
	if err != nil {
		return nil, err
	}
	defer shallow.Store().Free()
	return cut(shallow, nn.Heads, nn.FFN, nn.Hidden)
}

// cut keeps the first units of the axes of some kinds.
func cut(n model.Network, kinds ...nn.Kind) (model.Network, error) {
	plan := pruning.Plan{Keep: map[string][]int{}}
	for _, a := range axesOf(n, kinds...) {
		for unit := range studentSizes[a.Tower][a.Kind] {
			plan.Keep[a.Name] = append(plan.Keep[a.Name], unit)
		}
	}
	return pruning.Apply(n, plan)
}

func axesOf(n model.Network, kinds ...nn.Kind) []*nn.Axis {
	var axes []*nn.Axis
	for _, a := range n.Store().Axes() {
		for _, k := range kinds {
			if a.Kind == k {
				axes = append(axes, a)
			}
		}
	}
	return axes
}
