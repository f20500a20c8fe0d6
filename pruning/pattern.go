package pruning

import (
	"fmt"
	"math"

	"espalier/torch/nn"
)

// ChoosePattern picks n blocks of the greatest total score so that, in their order, block 0, every, 2·every, … of those
// kept are of rank group 0 and the others are not: the Q-Former's layers with cross-attention, as its config counts them.
func ChoosePattern(a *nn.Axis, scores []float64, n, every int) ([]int, error) {
	if n < 1 || n > a.Units() || every < 1 {
		return nil, fmt.Errorf("pruning: %s has %d units, %d cannot be kept", a.Name, a.Units(), n)
	}
	group := a.Groups()
	first := func(unit int) bool { return group == nil || group[unit] == 0 }
	// best[k] is the greatest sum with k blocks kept among those so far; from[unit][k] tells whether unit is the k-th.
	best := make([]float64, n+1)
	for k := 1; k <= n; k++ {
		best[k] = math.Inf(-1)
	}
	from := make([][]bool, a.Units())
	for unit := range a.Units() {
		from[unit] = make([]bool, n+1)
		for k := n; k >= 1; k-- {
			if first(unit) != ((k-1)%every == 0) {
				continue
			}
			if sum := best[k-1] + scores[unit]; sum > best[k] {
				best[k], from[unit][k] = sum, true
			}
		}
	}
	if math.IsInf(best[n], -1) {
		return nil, fmt.Errorf("pruning: no %d blocks of %s have cross-attention in every %d-th of them; keep another number", n, a.Name, every)
	}
	kept := make([]int, n)
	k := n
	for unit := a.Units() - 1; unit >= 0 && k > 0; unit-- {
		if from[unit][k] {
			k--
			kept[k] = unit
		}
	}
	return kept, nil
}
