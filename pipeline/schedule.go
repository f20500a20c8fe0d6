package pipeline

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

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
		return roundUp(t.Heads.Count(units, a.Multiple()), a.Multiple())
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

// keepFault is what is wrong with a key of a stage's keep.
type keepFault struct {
	stage     int
	key, text string // the key below the stage's
}

// keepFaults are what the stages cannot keep of a network, and the stages that do nothing. Each stage starts from what the
// ones before left, so their targets count.
func (c *Config) keepFaults(n model.Network) (faults []keepFault) {
	left := n.Store().Structure().Axes // units after the stages so far
	for i := range c.Stages {
		s := &c.Stages[i]
		before, idle := maps.Clone(left), s.Distil.Steps == 0
		for _, a := range n.Store().Axes() {
			if !slices.Contains(kindsOf[s.Name], a.Kind) {
				continue
			}
			have := before[a.Name]
			left[a.Name] = s.target(a, have)
			idle = idle && left[a.Name] == have
			key := "keep." + a.Tower
			if s.Name == "inner" {
				key += "." + string(a.Kind)
			}
			if left[a.Name] > have {
				faults = append(faults, keepFault{i, key, fmt.Sprintf("%d is more than the %d that %s then has; lower it", left[a.Name], have, a.Name)})
			}
		}
		if idle {
			faults = append(faults, keepFault{i, "keep", idleStage})
		}
	}
	return faults
}

// checkKeep tells the faults of keep for a network that was loaded.
func (c *Config) checkKeep(n model.Network) error {
	var faults []error
	seen := map[string]bool{} // the layers of a tower are alike
	for _, f := range c.keepFaults(n) {
		key := c.stageKey(f.stage) + "." + f.key
		if !seen[key] {
			faults = append(faults, fmt.Errorf("%s: %s", key, f.text))
		}
		seen[key] = true
	}
	if len(faults) == 0 {
		return nil
	}
	return &InputError{errors.Join(faults...)}
}

// stageKey is a stage as -set names it: by its name where that is its alone.
func (c *Config) stageKey(i int) string {
	if c.StageNames()[i] == c.Stages[i].Name {
		return "stage." + c.Stages[i].Name
	}
	return fmt.Sprintf("stage.%d", i)
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
