// Package bench measures this program beside the same work in PyTorch eager, on the same libtorch in the same run, and
// the size and speed of checkpoints.
package bench

import (
	"regexp"
	"strconv"

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
	if !s.half {
		return m, m.Store().Init(weightSeed, torch.CPU)
	}
	return m, repeatLayers(m, c, s.dtype())
}

// drawnLayers of a tower are drawn where the others repeat them. A Q-Former has two kinds of layers in turn.
const drawnLayers = 2

var layerNumber = regexp.MustCompile(`(\.layers?\.)(\d+)\.`)

// repeatLayers draws the first layers of each tower, and all others are like these: billions of numbers would take minutes to draw.
func repeatLayers(m model.Network, c *model.Config, d torch.DType) error {
	few := *c
	few.Vision.Layers, few.QFormer.Layers, few.Text.Layers = drawnLayers, drawnLayers, drawnLayers
	first, err := model.New(&few)
	if err != nil {
		return err
	}
	defer first.Store().Free()
	if err := first.Store().InitAs(weightSeed, d, torch.CPU); err != nil {
		return err
	}
	drawn := first.Store().Named()
	return torch.Run(func(*torch.Scope) error {
		for _, p := range m.Store().Params() {
			name := layerNumber.ReplaceAllStringFunc(p.Name, func(match string) string {
				parts := layerNumber.FindStringSubmatch(match)
				n, _ := strconv.Atoi(parts[2]) // digits
				return parts[1] + strconv.Itoa(n%drawnLayers) + "."
			})
			p.Set(drawn[name].Clone())
		}
		return nil
	})
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
