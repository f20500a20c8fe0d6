package config

import (
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

// Target is how many of an axis' units the stage leaves in the end, when it has so many at the stage's beginning.
func (s *StageConfig) Target(a *nn.Axis, units int) int {
	t := s.Keep.Of(a.Tower)
	if t == nil {
		return units
	}
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

// AxesOf are the axes of a network that a stage of this name cuts.
func AxesOf(stage string, n model.Network) (axes []*nn.Axis) {
	for _, a := range n.Store().Axes() {
		if slices.Contains(kindsOf[stage], a.Kind) {
			axes = append(axes, a)
		}
	}
	return axes
}

// Declare is the network that the stage leaves after a cut, from 1; it has no values. n has the sizes of the stage's beginning.
func (s *StageConfig) Declare(n model.Network, cut int) (model.Network, error) {
	keep, first := map[*nn.Axis][]int{}, []int(nil) // one list serves all axes
	for _, a := range AxesOf(s.Name, n) {
		units := min(a.Units(), s.UnitsAfter(a, a.Units(), cut))
		for u := len(first); u < units; u++ {
			first = append(first, u)
		}
		keep[a] = first[:units]
	}
	return n.Rebuild(n.Store().Cut(keep).Structure)
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// UnitsAfter is how many units of an axis the stage leaves after a cut, from 1, when it has start units at the stage's beginning:
// equal shares are cut each time, rounded to a multiple that suits the kind; heads in even groups stay even.
func (s *StageConfig) UnitsAfter(a *nn.Axis, start, cut int) int {
	return unitsAfter(a.Kind, a.Multiple(), start, s.Target(a, start), cut, s.Cuts)
}

func unitsAfter(kind nn.Kind, groups, start, target, cut, cuts int) int {
	if cut == cuts {
		return target
	}
	multiple := map[nn.Kind]int{nn.FFN: ffnMultiple, nn.Hidden: hiddenMultiple, nn.Heads: groups}[kind]
	multiple = max(1, multiple)
	w := float64(start) * math.Pow(float64(target)/float64(start), float64(cut)/float64(cuts))
	return min(start, max(target, int(math.Round(w/float64(multiple)))*multiple))
}

// StepsOf shares the stage's steps among its cuts: the last one gets twice as many, and what does not divide.
func (s *StageConfig) StepsOf(cut int) int {
	steps, cuts := s.Distil.Steps, s.Cuts
	unit := steps / (cuts + 1)
	if cut < cuts {
		return unit
	}
	return steps - unit*(cuts-1)
}
