package config

import (
	"math"
	"slices"

	"espalier/model"
	"espalier/torch/nn"
)

// What shares and intermediate widths are rounded to, for the vector units.
const (
	ffnMultiple        = 8
	hiddenMultiple     = 4
	vocabularyMultiple = 8
)

// headMultiple is what shares and intermediate sizes of heads are rounded to.
const headMultiple = 4

// kindsOf are the kinds of axis that a stage of a name cuts in the towers.
var kindsOf = map[string][]nn.Kind{"blocks": {nn.Blocks}, "inner": {nn.Heads, nn.FFN}, "hidden": {nn.Hidden}, "tokens": nil}

// Kinds are the kinds of axis that the stage cuts.
func (s *StageConfig) Kinds() []nn.Kind {
	kinds := s.Scored()
	if !s.Keep.Vocabulary.Whole() {
		kinds = append(kinds, nn.Vocabulary)
	}
	return kinds
}

// Scored are the kinds whose units a criterion scores: dimensions inside heads only where a tower is to have fewer. Tokens are counted.
func (s *StageConfig) Scored() []nn.Kind {
	kinds := slices.Clone(kindsOf[s.Name])
	if s.Name == "inner" && slices.ContainsFunc(TowerNames, func(tower string) bool { return !s.Keep.Of(tower).HeadSize.Whole() }) {
		kinds = append(kinds, nn.KeySize, nn.ValueSize)
	}
	if !s.Keep.Queries.Whole() {
		kinds = append(kinds, nn.Queries)
	}
	return kinds
}

// Target is how many of an axis' units the stage leaves in the end, when it has so many at the stage's beginning. How many tokens
// are used only the data can tell: here that is all of them.
func (s *StageConfig) Target(a *nn.Axis, units int) int {
	t := s.Keep.Of(a.Tower)
	if t == nil {
		return units
	}
	switch a.Kind {
	case nn.Heads: // query heads that share keys and values stay alike in all groups
		return roundUp(t.Heads.Count(units, a.Multiple()), a.Multiple())
	case nn.KeySize, nn.ValueSize:
		return t.HeadSize.Count(units*a.Block(), headMultiple) / a.Block()
	case nn.FFN:
		return t.FFN.Count(units, ffnMultiple)
	case nn.Hidden:
		return t.Units.Count(units, hiddenMultiple)
	case nn.Queries:
		return s.Keep.Queries.Count(units, 1)
	case nn.Vocabulary:
		return s.Keep.Vocabulary.Most.Count(units, vocabularyMultiple)
	}
	return t.Units.Count(units, 1)
}

// AxesOf are the axes of a network of some kinds.
func AxesOf(kinds []nn.Kind, n model.Network) (axes []*nn.Axis) {
	for _, a := range n.Store().Axes() {
		if slices.Contains(kinds, a.Kind) {
			axes = append(axes, a)
		}
	}
	return axes
}

// Declare is the network that the stage leaves after a cut, from 1; it has no values. n has the sizes of the stage's beginning.
func (s *StageConfig) Declare(n model.Network, cut int) (model.Network, error) {
	keep, first := map[*nn.Axis][]int{}, []int(nil) // one list serves all axes
	for _, a := range AxesOf(s.Kinds(), n) {
		units := min(a.Each(), s.UnitsAfter(a, a.Each(), cut))
		if a.Each() < a.Units() { // of each head
			for u := range a.Units() {
				if u%a.Each() < units {
					keep[a] = append(keep[a], u)
				}
			}
			continue
		}
		for u := len(first); u < units; u++ {
			first = append(first, u)
		}
		keep[a] = first[:units]
	}
	return n.Rebuild(n.Store().Cut(keep).Structure)
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// UnitsAfter is how many units of an axis the stage leaves after a cut, from 1, when it has start units at the stage's beginning:
// equal shares are cut each time, rounded to a multiple that suits the kind; heads in even groups stay even. Tokens go at once:
// what no text uses is missed by none.
func (s *StageConfig) UnitsAfter(a *nn.Axis, start, cut int) int {
	if a.Kind == nn.Vocabulary {
		return s.Target(a, start)
	}
	if a.Kind == nn.KeySize || a.Kind == nn.ValueSize { // in dimensions, so that keys and values stay alike
		return Between(start*a.Block(), s.Target(a, start)*a.Block(), cut, s.Cuts, headMultiple) / a.Block()
	}
	return Between(start, s.Target(a, start), cut, s.Cuts, MultipleOf(a))
}

// MultipleOf is what numbers of units of an axis that the program chooses are a multiple of.
func MultipleOf(a *nn.Axis) int {
	switch a.Kind {
	case nn.FFN:
		return ffnMultiple
	case nn.Hidden:
		return hiddenMultiple
	case nn.Heads:
		return a.Multiple()
	}
	return 1
}

// Between is how many units stay after the k-th of n cuts from start to end, rounded to a multiple: equal shares go each time.
func Between(start, end, k, n, multiple int) int {
	if k == n {
		return end
	}
	w := float64(start) * math.Pow(float64(end)/float64(start), float64(k)/float64(n))
	return min(start, max(end, int(math.Round(w/float64(multiple)))*multiple))
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
