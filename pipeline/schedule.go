package pipeline

import (
	"maps"
	"math"

	"espalier/model"
	"espalier/torch/nn"
)

// ffnMultiple and hiddenMultiple are what shares and intermediate widths are rounded to, for the vector units.
const (
	ffnMultiple    = 8
	hiddenMultiple = 4
)

// kindsOf are the kinds of axis that a stage cuts.
var kindsOf = map[string][]nn.Kind{"blocks": {nn.Blocks}, "inner": {nn.Heads, nn.FFN}, "hidden": {nn.Hidden}}

// target is how many of an axis' units a stage leaves in the end, when it has so many at the stage's beginning.
func (s *StageConfig) target(a *nn.Axis, units int) int {
	t := map[string]TowerKeep{"vision": s.Keep.Vision, "qformer": s.Keep.QFormer, "language": s.Keep.Language}[a.Tower]
	switch a.Kind {
	case nn.Heads: // query heads that share keys and values stay alike in all groups
		return min(units, roundUp(t.Heads.Count(units, a.Multiple()), a.Multiple()))
	case nn.FFN:
		return t.FFN.Count(units, ffnMultiple)
	case nn.Hidden:
		return t.Units.Count(units, hiddenMultiple)
	}
	return t.Units.Count(units, 1)
}

// axes are those that the stage cuts in a network, with the units that stay in the end.
func (s *StageConfig) axes(n model.Network) (axes []*nn.Axis, targets map[string]int) {
	targets = map[string]int{}
	for _, a := range n.Store().Axes() {
		for _, k := range kindsOf[s.Name] {
			if a.Kind != k {
				continue
			}
			axes, targets[a.Name] = append(axes, a), s.target(a, a.Units())
		}
	}
	return axes, targets
}

// checkKeep finds, before anything is trained, what a stage could not keep. Each stage starts from what the ones before
// left, so their targets count.
func (c *Config) checkKeep(n model.Network) error {
	left := map[string]int{} // units by axis after the stages so far
	for _, s := range c.Stages {
		before := maps.Clone(left)
		for _, a := range n.Store().Axes() {
			for _, k := range kindsOf[s.Name] {
				if a.Kind != k {
					continue
				}
				have, cut := before[a.Name]
				if !cut {
					have = a.Units()
				}
				left[a.Name] = s.target(a, have)
				if left[a.Name] > have {
					return Inputf("stage %q: keep asks for %d of %s, the network then has %d; lower stage.%s.keep.%s",
						s.Name, left[a.Name], a.Name, have, s.Name, a.Tower)
				}
			}
		}
	}
	return nil
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// unitsAfter is the width after cut number cut (from 1) of cuts, on the way from start to target units: equal shares are
// cut each time, rounded to a multiple that suits the kind; heads in even groups stay
// even.
func unitsAfter(kind nn.Kind, groups, start, target, cut, cuts int) int {
	if cut == cuts {
		return target
	}
	multiple := map[nn.Kind]int{nn.FFN: ffnMultiple, nn.Hidden: hiddenMultiple, nn.Heads: groups}[kind]
	multiple = max(1, multiple)
	w := float64(start) * math.Pow(float64(target)/float64(start), float64(cut)/float64(cuts))
	return min(start, max(target, int(math.Round(w/float64(multiple)))*multiple))
}

// stepsOf shares a stage's steps among its cuts: the last one gets twice as many, and what does not divide.
func stepsOf(steps, cut, cuts int) int {
	unit := steps / (cuts + 1)
	if cut < cuts {
		return unit
	}
	return steps - unit*(cuts-1)
}

// The learning rate falls to these shares: not far between cuts, since the next cut needs room to move.
const (
	finalBetweenCuts = .3
	finalOfStage     = .02
)
