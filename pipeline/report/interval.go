package report

import (
	"cmp"
	"math"
	"slices"
)

// miss is how often each bound of an interval may lie on the wrong side of the true loss: 95 % lie between the two.
const miss = .025

// Outcome is one picture: how many questions it asked, and how many of them each model answered right.
type Outcome struct{ Questions, Teacher, Student float64 }

// tally counts the pictures that lost alike. Its pictures need not be a whole number: see needed.
type tally struct{ lost, asked, pictures float64 }

func tallies(pictures []Outcome) (all []tally) {
	at := map[[2]float64]int{}
	for _, p := range pictures {
		key := [2]float64{p.Teacher - p.Student, p.Questions}
		i, ok := at[key]
		if !ok {
			i = len(all)
			at[key] = i
			all = append(all, tally{lost: key[0], asked: key[1]})
		}
		all[i].pictures++
	}
	// The order of the sums must not depend on that of the pictures.
	slices.SortFunc(all, func(a, b tally) int { return cmp.Or(cmp.Compare(a.lost, b.lost), cmp.Compare(a.asked, b.asked)) })
	return all
}

// gains are the same pictures with the models exchanged.
func gains(all []tally) []tally {
	out := slices.Clone(all)
	for i := range out {
		out[i].lost = -out[i].lost
	}
	return out
}

// doubt is the chance, given these pictures, that the loss is above a limit. It is Gaffke's (2005, "Three test statistics for a
// nonparametric one-sided hypothesis on the mean of a nonnegative variable"): one more picture is added that lost every question,
// all pictures get random weights (a flat Dirichlet distribution), and the doubt is the chance that the weighted loss is above the
// limit. Where each picture asks one question it is the exact binomial one of Clopper and Pearson; with many pictures it becomes
// that of the bootstrap. It knows no more of the pictures' distribution than its end, so neither rare losses nor
// questions that err together make it too small; docs/results.md has the simulation.
//
// With exponential weights the weighted loss is above the limit where Σ weight·(lost − limit·asked) is positive. That sum's
// characteristic function is known, and Gil-Pelaez's integral of it gives the chance: no random number is drawn.
func doubt(all []tally, limit float64) float64 {
	var mean, variance, largest, most float64
	terms := make([]tally, 0, len(all)+1)
	for _, t := range all {
		most = max(most, t.asked)
		terms = append(terms, tally{lost: t.lost - limit*t.asked, pictures: t.pictures})
	}
	terms = append(terms, tally{lost: most - limit*most, pictures: 1})
	above, below := false, false
	for _, t := range terms {
		above, below = above || t.lost > 0, below || t.lost < 0
		mean += t.pictures * t.lost
		variance += t.pictures * t.lost * t.lost
		largest = max(largest, math.Abs(t.lost))
	}
	switch {
	case !above:
		return 0
	case !below:
		return 1
	}
	// The sum is farther from 0 than this with a chance of e⁻²⁸ (Bernstein), which bounds the error of the step of the integral.
	far := math.Abs(mean) + math.Sqrt(56*variance) + 28*largest
	step, sum := 2*math.Pi/far, 0.
	for i := range 1 << 14 { // one picture needs them all for six digits; a hundred need some hundreds
		at := (float64(i) + .5) * step
		angle, size := 0., 0.
		for _, t := range terms {
			x := at * t.lost
			angle += t.pictures * math.Atan(x)
			size += t.pictures * math.Log1p(x*x)
		}
		size = math.Exp(-size / 2)
		sum += math.Sin(angle) * size / (float64(i) + .5)
		if size < 1e-13 {
			break
		}
	}
	return min(1, max(0, .5+sum/math.Pi))
}

// upper is the loss that the true one is above with a chance of miss at most.
func upper(all []tally) float64 {
	low, high := -1., 1.
	for high-low > 1e-10 {
		if middle := (low + high) / 2; doubt(all, middle) > miss {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// PairedDrop is Σ (teacher − student) / Σ questions with its 95 % interval. Pictures are what is independent, not questions,
// since the questions of a picture err together; and both models' answers stay paired, since most of their errors are the same.
func PairedDrop(pictures []Outcome) Drop {
	all := tallies(pictures)
	var lost, asked float64
	for _, t := range all {
		lost += t.pictures * t.lost
		asked += t.pictures * t.asked
	}
	return Drop{Drop: over(lost, asked), CI: [2]float64{-upper(gains(all)), upper(all)}}
}

// mostNeeded bounds needed: beyond it the loss is as good as alpha.
const mostNeeded = 10_000_000

// needed is how many pictures would decide whether the loss is above alpha, if more of them lost as these did; 0 where no number
// of them would.
func needed(pictures []Outcome, alpha float64) int {
	all := tallies(pictures)
	decides := func(n int) bool {
		scaled := slices.Clone(all)
		for i := range scaled {
			scaled[i].pictures *= float64(n) / float64(len(pictures))
		}
		return doubt(scaled, alpha) <= miss || doubt(gains(scaled), -alpha) < miss
	}
	low, high := len(pictures), len(pictures)
	for !decides(high) {
		if low, high = high, 2*high; high > mostNeeded {
			return 0
		}
	}
	for high-low > 1 {
		if middle := (low + high) / 2; decides(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// VerdictOf is what pictures prove of a loss against alpha: what a gate says of them, without its interval.
func VerdictOf(pictures []Outcome, alpha float64) Verdict {
	all := tallies(pictures)
	switch {
	case doubt(all, alpha) <= miss:
		return Held
	case doubt(gains(all), -alpha) < miss:
		return Lost
	}
	return Undecided
}
