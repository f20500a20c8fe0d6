package truth

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Agreement is how far a way to score ranks units as the true change of a loss does.
type Agreement struct {
	Kind   string `json:"kind"`
	Tower  string `json:"tower,omitempty"` // empty: all
	Way    string `json:"score"`
	Change string `json:"change"` // one of Changes
	Axes   int    `json:"axes"`
	Units  int    `json:"units"`
	// Ranks within each axis, the mean over the axes; and of all units as one list.
	WithinSpearman *Estimate `json:"within_spearman,omitempty"`
	WithinKendall  *Estimate `json:"within_kendall,omitempty"`
	PooledSpearman *Estimate `json:"pooled_spearman,omitempty"`
	PooledKendall  *Estimate `json:"pooled_kendall,omitempty"`
}

// Estimate is a correlation with its 95 per cent interval, from resamples in which units are drawn anew within each axis: it covers which units
// were taken away, and not which network. Nil stands for one that is not defined, since one side is constant.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Half is the way that stands for the truth itself: the change on every other picture, held against that on the others. Where the two do not agree,
// the pictures are too few to tell which unit is worth more.
const Half = "half the pictures"

// change is that of a loss, for each unit: on all pictures, and on two halves of them.
type change struct {
	of               string
	all, first, rest []float64
}

// Size, behind a loss' name, stands for the change's absolute value. A score has no sign, so it can tell how much a unit does, but not whether
// the network is better or worse without it.
const Size = ", size"

// Changes are those that scores are held against.
var Changes = []string{"cross-entropy", "cross-entropy" + Size, "margin", "margin" + Size}

// changes are those of both losses, and their sizes.
func changes(units []Unit, whole []heard, without [][]heard) (out []change) {
	ce, margin := change{of: "cross-entropy"}, change{of: "margin"}
	first, rest := make([]int, len(whole)), make([]int, len(whole))
	for i := range whole {
		first[i], rest[i] = 1-i%2, i%2
	}
	for i, u := range units {
		a := mean(without[i], first).minus(mean(whole, first))
		b := mean(without[i], rest).minus(mean(whole, rest))
		ce.all, ce.first, ce.rest = append(ce.all, u.Change.CrossEntropy), append(ce.first, a.CrossEntropy), append(ce.rest, b.CrossEntropy)
		margin.all, margin.first, margin.rest = append(margin.all, u.Change.Margin), append(margin.first, a.Margin), append(margin.rest, b.Margin)
	}
	for _, c := range []change{ce, margin} {
		out = append(out, c, change{c.of + Size, sizes(c.all), sizes(c.first), sizes(c.rest)})
	}
	return out
}

func sizes(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.Abs(x)
	}
	return out
}

// agreements compare every way to score with the changes of both losses, for each kind of axis, in all towers and in each.
func agreements(units []Unit, whole []heard, without [][]heard, resamples int, seed uint64) (out []Agreement) {
	axes := map[string][]int{} // units of each, by their places in the list
	for i, u := range units {
		axes[u.Axis] = append(axes[u.Axis], i)
	}
	draws := []map[string][]int{axes} // the units as they are, and the resamples
	for i := range resamples {
		draws = append(draws, again(axes, units, rand.New(rand.NewPCG(seed, uint64(i)))))
	}
	all := changes(units, whole, without)
	for _, a := range subjects(units) {
		names := axesOf(units, a.Kind, a.Tower)
		a.Axes = len(names)
		for _, name := range names {
			a.Units += len(axes[name])
		}
		for _, c := range all {
			a := a
			a.Change = c.of
			if a.Way == Half {
				a.estimate(names, draws, c.first, c.rest)
			} else {
				a.estimate(names, draws, scoresBy(units, a.Way), c.all)
			}
			out = append(out, a)
		}
	}
	return out
}

// subjects are all pairs of a kind, in all towers or in one, and a way that scores it, in a fixed order.
func subjects(units []Unit) (out []Agreement) {
	for _, u := range units {
		for _, tower := range []string{"", u.Tower} {
			for _, way := range append(slices.Collect(maps.Keys(u.Scores)), Half) {
				a := Agreement{Kind: u.Kind, Tower: tower, Way: way}
				if !slices.Contains(out, a) {
					out = append(out, a)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Agreement) int {
		return slices.Compare([]string{a.Kind, a.Tower, a.Way}, []string{b.Kind, b.Tower, b.Way})
	})
	return out
}

// axesOf are the axes of a kind in the order of the units.
func axesOf(units []Unit, kind, tower string) (axes []string) {
	for _, u := range units {
		if u.Kind == kind && (tower == "" || u.Tower == tower) && !slices.Contains(axes, u.Axis) {
			axes = append(axes, u.Axis)
		}
	}
	return axes
}

// scoresBy are the scores of all units by a way, not a number for those that it does not score.
func scoresBy(units []Unit, way string) []float64 {
	out := make([]float64, len(units))
	for i, u := range units {
		score, ok := u.Scores[way]
		if !ok {
			score = math.NaN()
		}
		out[i] = score
	}
	return out
}

// again draws as many units of each axis as there are, in the order of the list.
func again(axes map[string][]int, units []Unit, r *rand.Rand) map[string][]int {
	out := map[string][]int{}
	for _, u := range units {
		of := axes[u.Axis]
		out[u.Axis] = append(out[u.Axis], of[r.IntN(len(of))])
	}
	return out
}

// estimate fills in the correlations: of the first draw, with the interval from the others.
func (a *Agreement) estimate(axes []string, draws []map[string][]int, scores, change []float64) {
	var drawn [4][]float64
	values := correlations(axes, draws[0], scores, change)
	for _, d := range draws[1:] {
		for i, v := range correlations(axes, d, scores, change) {
			if !math.IsNaN(v) {
				drawn[i] = append(drawn[i], v)
			}
		}
	}
	for i, into := range []**Estimate{&a.WithinSpearman, &a.WithinKendall, &a.PooledSpearman, &a.PooledKendall} {
		if math.IsNaN(values[i]) || len(drawn[i]) == 0 {
			continue
		}
		slices.Sort(drawn[i])
		*into = &Estimate{values[i], stat.Quantile(.025, stat.LinInterp, drawn[i], nil), stat.Quantile(.975, stat.LinInterp, drawn[i], nil)}
	}
}

// correlations are Spearman's and Kendall's within the axes, the mean over those where they are defined, and of the pooled units.
func correlations(axes []string, units map[string][]int, scores, change []float64) (out [4]float64) {
	var allScores, allChanges []float64
	var sums, counts [2]float64
	for _, axis := range axes {
		var x, y []float64
		for _, i := range units[axis] {
			x, y = append(x, scores[i]), append(y, change[i])
		}
		for i, v := range []float64{Spearman(x, y), Kendall(x, y)} {
			if !math.IsNaN(v) {
				sums[i] += v
				counts[i]++
			}
		}
		allScores, allChanges = append(allScores, x...), append(allChanges, y...)
	}
	return [4]float64{sums[0] / counts[0], sums[1] / counts[1], Spearman(allScores, allChanges), Kendall(allScores, allChanges)}
}
