package target

import (
	"math"
	"slices"

	"espalier/torch/nn"
)

// A division is rated by how hard it squeezes each variable: Σ weight·ln²(most/kept). Squared, so that it squeezes all of them
// a little rather than one of them hard. The weights say how much a tower suffers when one is squeezed: docs/decisions.md has the runs that
// they come from (several narrow heads are worth more than one wide one, and blocks cost more time than their parameters say).
var evenWeights = map[nn.Kind]float64{nn.Blocks: 1.6, nn.Heads: 2, nn.KeySize: .5, nn.FFN: .5, nn.Hidden: 1.2, nn.Queries: .5}

// oncePerToken: the language model's blocks run once for each token of an answer, so that squeezing them saves the most time.
const oncePerToken = .5

// favour is a kind of division: what it squeezes more or less than the even one does.
type favour struct {
	name   string
	weight func(v variable) float64 // times the even one's
}

// favours are the divisions that are looked at, the even one first. They are mild: what is far from even learns fast at first and
// ends worse.
var favours = []favour{
	{"even", func(variable) float64 { return 1 }},
	{"fewer blocks", byKind(nn.Blocks, .25)},
	{"more blocks", byKind(nn.Blocks, 4)},
	{"more heads", byKind(nn.Heads, 2)},
	{"wider FFN", byKind(nn.FFN, 2)},
	{"wider", byKind(nn.Hidden, 1.6)},
	{"for the vision tower", byTower("vision", 2)},
	{"for the Q-Former", byTower("qformer", 2)},
	{"for the language model", byTower("language", 2)},
}

// byKind favours a kind of unit, but not at the cost of blocks: short training does not show what a tower of one narrow block lacks
// in the end.
func byKind(kind nn.Kind, by float64) func(variable) float64 {
	return func(v variable) float64 {
		switch v.kind {
		case kind:
			return by
		case nn.Blocks:
			return 1.8
		}
		return 1
	}
}

func byTower(tower string, by float64) func(variable) float64 {
	return func(v variable) float64 {
		if v.tower == tower {
			return by
		}
		return 1
	}
}

// limit is what a student may be at most: a measure of it, and the value.
type limit struct {
	of   func(*Point) float64
	most float64
}

// near is how close below the limit a student should come.
const near = .985

// search looks for the best-rated division within a limit.
type search struct {
	*space
	limit   limit
	weights []float64
}

// divide gives the best division that a favour finds within the limit, or nil where there is none.
func (s *space) divide(f favour, l limit) *Point {
	x := &search{space: s, limit: l, weights: make([]float64, len(s.vars))}
	for i, v := range s.vars {
		x.weights[i] = evenWeights[v.kind] * f.weight(v)
		if v.kind == nn.Blocks && v.tower == "language" {
			x.weights[i] *= oncePerToken
		}
	}
	p := x.improve(x.begin())
	if l.of(p) > l.most {
		return nil
	}
	found := *p
	found.Name = f.name
	return &found
}

// begin solves the problem as if units were no whole numbers: at the best division, each squeeze costs as much more as it
// saves. How much a squeeze saves is measured where the last round ended.
func (x *search) begin() []int {
	saves := make([]float64, len(x.vars)) // d ln(measure) / d ln(units)
	for i := range saves {
		saves[i] = 1
	}
	at := func(squeeze float64) []int {
		units := make([]int, len(x.vars))
		for i, v := range x.vars {
			units[i] = v.rounded(float64(v.most) * math.Exp(-squeeze*saves[i]/x.weights[i]))
		}
		return units
	}
	var units []int
	for range 5 {
		low, high := 0., 64.
		for range 24 {
			mid := (low + high) / 2
			if x.measure(at(mid)) > x.limit.most {
				low = mid
			} else {
				high = mid
			}
		}
		units = at(high)
		for i, v := range x.vars {
			less := slices.Clone(units)
			less[i] = v.rounded(float64(units[i]) * .8)
			if less[i] == units[i] {
				less[i] = max(v.least, units[i]-v.step)
			}
			if less[i] == units[i] {
				continue
			}
			slope := math.Log(x.measure(units)/x.measure(less)) / math.Log(float64(units[i])/float64(less[i]))
			if slope > 0 && !math.IsInf(slope, 0) {
				saves[i] = math.Sqrt(saves[i] * max(slope, .01)) // half-way, so that it settles
			}
		}
	}
	return units
}

// improve moves one or two variables by a few steps at a time while that rates better.
func (x *search) improve(units []int) *Point {
	best, rated := slices.Clone(units), x.rate(units)
	for moved := true; moved; {
		moved = false
		try := func(units []int) {
			if r := x.rate(units); r < rated-1e-12 {
				best, rated, moved = slices.Clone(units), r, true
			}
		}
		from := best
		for i, v := range x.vars {
			for _, by := range []int{-1, 1, -2, 2, -3, 3, -4, 4} {
				one := slices.Clone(from)
				one[i] += by * v.step
				if one[i] < v.least || one[i] > v.most {
					continue
				}
				try(one)
				for j, w := range x.vars {
					for less := 1; less <= 3 && j != i && by > 0; less++ {
						if two := slices.Clone(one); two[j]-less*w.step >= w.least {
							two[j] -= less * w.step
							try(two)
						}
					}
				}
			}
		}
	}
	return x.at(best)
}

// rate is what a division costs: how hard it squeezes, and much more for each per cent that it stays away from the limit or
// goes beyond.
func (x *search) rate(units []int) float64 {
	rate := 0.
	for i, v := range x.vars {
		squeeze := math.Log(float64(v.most) / float64(units[i]))
		rate += x.weights[i] * squeeze * squeeze
	}
	share := x.measure(units) / x.limit.most
	return rate + 200*max(0, near-share) + 1e4*max(0, share-1)
}

// measure is what is limited.
func (x *search) measure(units []int) float64 { return x.limit.of(x.at(units)) }

// farApart picks n points: the first, and then always the one that differs most from those picked.
func farApart(points []*Point, n int) (picked []*Point) {
	for len(picked) < min(n, len(points)) {
		best, far := 0, -1.
		for i, p := range points {
			nearest := math.Inf(1)
			for _, q := range picked {
				nearest = min(nearest, distance(p.Units, q.Units))
			}
			if len(picked) == 0 {
				nearest = float64(len(points) - i)
			}
			if nearest > far {
				best, far = i, nearest
			}
		}
		if far == 0 {
			break // all others are among those picked
		}
		picked = append(picked, points[best])
	}
	return picked
}

// distance is Σ ln² of the units' ratios.
func distance(a, b []int) (d float64) {
	for i := range a {
		l := math.Log(float64(a[i]) / float64(b[i]))
		d += l * l
	}
	return d
}
