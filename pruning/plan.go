package pruning

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"

	"espalier/torch/nn"
)

// Plan says which units stay, in ascending order, for each axis that is cut.
type Plan struct {
	Keep map[string][]int `json:"keep"`
}

// Choose picks the n units of an axis with the highest scores, the lower number of equals. Rank groups are cut alike:
// each keeps its share of n, and what does not divide goes to the first groups.
func Choose(a *nn.Axis, scores []float64, n int) ([]int, error) {
	if n < 1 || n > a.Units() {
		return nil, fmt.Errorf("pruning: %s has %d units, %d cannot be kept", a.Name, a.Units(), n)
	}
	members := map[int][]int{}
	for unit := range a.Units() {
		group := 0
		if g := a.Groups(); g != nil {
			group = g[unit]
		}
		members[group] = append(members[group], unit)
	}
	var kept []int
	for group, quota := range quotas(members, n) {
		units := members[group]
		sort.SliceStable(units, func(i, j int) bool { return scores[units[i]] > scores[units[j]] })
		kept = append(kept, units[:quota]...)
	}
	sort.Ints(kept)
	return kept, nil
}

// ChooseTogether picks the units with the highest scores of several axes, total in all: layers that matter more keep more. Each
// axis keeps at least step units and a multiple of it, but for what total leaves over; rank groups are cut alike.
func ChooseTogether(axes []*nn.Axis, scores Scores, total, step int) (map[string][]int, error) {
	kept, left := map[string][]int{}, total
	worth := func(a *nn.Axis, units []int) (sum float64) {
		for _, u := range units {
			sum += scores[a.Name][u]
		}
		return sum
	}
	more := func(a *nn.Axis) ([]int, error) { // what a keeps when it gets the next units
		n := len(kept[a.Name])
		return Choose(a, scores[a.Name], n+min(step, left, a.Units()-n))
	}
	for _, a := range axes {
		units, err := more(a)
		if err != nil {
			return nil, fmt.Errorf("%w: %d units are too few for %d layers", err, total, len(axes))
		}
		kept[a.Name] = units
		left -= len(units)
	}
	for left > 0 {
		var best *nn.Axis
		var units []int
		gain := 0.
		for _, a := range axes {
			if len(kept[a.Name]) == a.Units() {
				continue
			}
			next, err := more(a)
			if err != nil {
				return nil, err
			}
			got := (worth(a, next) - worth(a, kept[a.Name])) / float64(len(next)-len(kept[a.Name]))
			if best == nil || got > gain {
				best, units, gain = a, next, got
			}
		}
		if best == nil {
			return nil, fmt.Errorf("pruning: %d units are more than %s and its like have", total, axes[0].Name)
		}
		left -= len(units) - len(kept[best.Name])
		kept[best.Name] = units
	}
	return kept, nil
}

// quotas shares n among groups in proportion to their sizes. What is left over goes to the largest remainders, the first groups among
// equals: so several cuts lead to the same shares as one.
func quotas(members map[int][]int, n int) map[int]int {
	groups, total := slices.Sorted(maps.Keys(members)), 0
	for _, units := range members {
		total += len(units)
	}
	out, given := map[int]int{}, 0
	for _, g := range groups {
		out[g] = n * len(members[g]) / total
		given += out[g]
	}
	slices.SortStableFunc(groups, func(a, b int) int {
		return cmp.Compare(n*len(members[b])%total, n*len(members[a])%total)
	})
	for _, g := range groups[:n-given] {
		out[g]++
	}
	return out
}

// tokens are those that the plan keeps of the vocabulary; nil where it does not cut it.
func (p Plan) tokens(s *nn.Store) []int {
	for name, units := range p.Keep {
		if s.Axis(name).Kind == nn.Vocabulary {
			return units
		}
	}
	return nil
}

// axes resolves the plan's names and checks its units.
func (p Plan) axes(s *nn.Store) (map[*nn.Axis][]int, error) {
	keep := map[*nn.Axis][]int{}
	for name, units := range p.Keep {
		a := s.Axis(name)
		if a == nil {
			return nil, fmt.Errorf("pruning: the network has no axis %q", name)
		}
		if len(units) == 0 {
			return nil, fmt.Errorf("pruning: the plan keeps no unit of %s", name)
		}
		for i, u := range units {
			if u < 0 || u >= a.Units() || (i > 0 && u <= units[i-1]) {
				return nil, fmt.Errorf("pruning: the plan's units %v of %s are not ascending numbers below %d", units, name, a.Units())
			}
		}
		if a.Each() < a.Units() { // inside heads
			counts := make([]int, a.Multiple())
			for _, u := range units {
				counts[u/a.Each()]++
			}
			for head, n := range counts {
				if n != counts[0] {
					return nil, fmt.Errorf("pruning: the plan keeps %d dimensions of head 0 and %d of head %d of %s: all heads keep as many", counts[0], n, head, name)
				}
			}
		}
		keep[a] = units
	}
	return keep, nil
}
