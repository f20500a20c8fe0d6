package truth

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Spearman is Pearson's correlation of the ranks, equal values sharing the mean of theirs. It is not a number where one side is constant.
func Spearman(x, y []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	return stat.Correlation(ranks(x), ranks(y), nil)
}

// ranks are 1 for the smallest value; equal ones share the mean of theirs.
func ranks(v []float64) []float64 {
	order, out := ascending(v), make([]float64, len(v))
	for from := 0; from < len(v); {
		to := from
		for ; to < len(v) && v[order[to]] == v[order[from]]; to++ {
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+1+to) / 2
		}
		from = to
	}
	return out
}

func ascending(v []float64) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	return order
}

// Kendall is tau-b, which counts equal values for neither side: gonum's is tau-a, and a resample has many of them. It is not a number
// where one side is constant. Knight (1966): sort by x, and count what a merge sort by y turns round.
func Kendall(x, y []float64) float64 {
	order := ascending(x)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(x[a], x[b]), cmp.Compare(y[a], y[b])) })
	sorted := make([]float64, len(y))
	for i, at := range order {
		sorted[i] = y[at]
	}
	equalX := equalPairs(len(x), func(i, j int) bool { return x[order[i]] == x[order[j]] })
	equalBoth := equalPairs(len(x), func(i, j int) bool { return x[order[i]] == x[order[j]] && sorted[i] == sorted[j] })
	turned := inversions(sorted)
	equalY := equalPairs(len(y), func(i, j int) bool { return sorted[i] == sorted[j] })
	pairs := len(x) * (len(x) - 1) / 2
	return float64(pairs-equalX-equalY+equalBoth-2*turned) / math.Sqrt(float64(pairs-equalX)*float64(pairs-equalY))
}

// equalPairs counts the pairs of equal elements of a sorted list.
func equalPairs(n int, equal func(i, j int) bool) (pairs int) {
	for from := 0; from < n; {
		to := from + 1
		for ; to < n && equal(from, to); to++ {
			pairs += to - from
		}
		from = to
	}
	return pairs
}

// inversions sorts v and counts the pairs that stood the wrong way round.
func inversions(v []float64) (turned int) {
	if len(v) < 2 {
		return 0
	}
	left, right := slices.Clone(v[:len(v)/2]), slices.Clone(v[len(v)/2:])
	turned = inversions(left) + inversions(right)
	for i := range v {
		if len(right) == 0 || len(left) > 0 && left[0] <= right[0] {
			v[i], left = left[0], left[1:]
			continue
		}
		v[i], right = right[0], right[1:]
		turned += len(left)
	}
	return turned
}
