// Package gates tries the gate: its verdicts on simulated answers whose true loss is known, beside other methods', and on
// runs with a stage that was spoilt on purpose.
package gates

import (
	"math"
	"math/rand/v2"
	"slices"

	"espalier/pipeline/report"
)

// miss is how often held, and how often lost, may be wrong.
const miss = .025

// Methods are ways to tell whether a loss is above alpha; the gate's own is the first.
var Methods = []struct {
	Name string
	Rare int // it is asked at one draw in so many: resampling takes long
	Of   func(pictures []report.Outcome, alpha float64, random *rand.Rand) report.Verdict
}{
	{"Gaffke (the gate's)", 1, func(p []report.Outcome, alpha float64, _ *rand.Rand) report.Verdict {
		return report.VerdictOf(p, alpha)
	}},
	{"bootstrap, percentile", 20, percentile},
	{"bootstrap, BCa", 20, bca},
	{"cluster-robust t", 1, func(p []report.Outcome, alpha float64, _ *rand.Rand) report.Verdict { return student(p, alpha) }},
	{"the same, with a lost and a won picture added", 1, func(p []report.Outcome, alpha float64, _ *rand.Rand) report.Verdict {
		most := p[0].Questions
		return student(append(slices.Clip(p), report.Outcome{Questions: most, Teacher: most}, report.Outcome{Questions: most, Student: most}), alpha)
	}},
	{"Tango's score, design effect", 1, func(p []report.Outcome, alpha float64, _ *rand.Rand) report.Verdict { return tango(p, alpha) }},
	{"empirical Bernstein", 1, func(p []report.Outcome, alpha float64, _ *rand.Rand) report.Verdict { return bernstein(p, alpha) }},
	{"betting", 1, func(p []report.Outcome, alpha float64, _ *rand.Rand) report.Verdict { return betting(p, alpha) }},
}

func verdict(low, high, alpha float64) report.Verdict {
	switch {
	case high <= alpha:
		return report.Held
	case low > alpha:
		return report.Lost
	}
	return report.Undecided
}

// losses are the pictures' own shares of questions lost; all pictures ask as many here, so their mean is the loss.
func losses(pictures []report.Outcome) (all []float64, mean, variance float64) {
	for _, p := range pictures {
		all = append(all, (p.Teacher-p.Student)/p.Questions)
		mean += all[len(all)-1] / float64(len(pictures))
	}
	for _, x := range all {
		variance += (x - mean) * (x - mean) / float64(len(all)-1)
	}
	return all, mean, variance
}

const resamples = 500

func resampled(all []float64, random *rand.Rand) []float64 {
	means := make([]float64, resamples)
	for r := range means {
		for range all {
			means[r] += all[random.IntN(len(all))] / float64(len(all))
		}
	}
	slices.Sort(means)
	return means
}

func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, max(0, int(math.Round(q*float64(len(sorted)-1)))))]
}

// percentile is Efron's (1979).
func percentile(pictures []report.Outcome, alpha float64, random *rand.Rand) report.Verdict {
	all, _, _ := losses(pictures)
	means := resampled(all, random)
	return verdict(quantile(means, miss), quantile(means, 1-miss), alpha)
}

// bca corrects it for bias and skewness (Efron 1987).
func bca(pictures []report.Outcome, alpha float64, random *rand.Rand) report.Verdict {
	all, mean, variance := losses(pictures)
	if variance == 0 {
		return verdict(mean, mean, alpha)
	}
	means := resampled(all, random)
	below, skew := 0., 0.
	for _, m := range means {
		if m < mean {
			below++
		} else if m == mean {
			below += .5
		}
	}
	for _, x := range all {
		skew += math.Pow(x-mean, 3)
	}
	z0 := math.Sqrt2 * math.Erfinv(2*min(max(below/resamples, 1./resamples), 1-1./resamples)-1)
	a := skew / (6 * math.Pow(variance*float64(len(all)), 1.5))
	at := func(z float64) float64 { return math.Erfc(-(z0+(z0+z)/(1-a*(z0+z)))/math.Sqrt2) / 2 }
	return verdict(quantile(means, at(-1.96)), quantile(means, at(1.96)), alpha)
}

func student(pictures []report.Outcome, alpha float64) report.Verdict {
	all, mean, variance := losses(pictures)
	n := float64(len(all))
	wide := 1.96 * (1 + (1.96*1.96+1)/(4*(n-1))) * math.Sqrt(variance/n) // Student's quantile, by its first term in 1/n
	return verdict(mean-wide, mean+wide, alpha)
}

// tango is the score test for paired proportions (Tango 1998) over the questions, its variance multiplied by the design effect of
// the pictures (Rao and Scott 1992).
func tango(pictures []report.Outcome, alpha float64) report.Verdict {
	_, mean, variance := losses(pictures)
	var lost, won, n float64
	for _, p := range pictures {
		n += p.Questions
		lost += max(0, p.Teacher-p.Student)
		won += max(0, p.Student-p.Teacher)
	}
	effect := 1.
	if simple := (lost+won)/n - mean*mean; simple > 0 {
		effect = max(1, variance/float64(len(pictures))/(simple/n))
	}
	b := lost + won + (lost-won)*alpha - 2*n*alpha
	q := (b + math.Sqrt(b*b+8*n*won*alpha*(1-alpha))) / (4 * n)
	z := (lost - won - n*alpha) / math.Sqrt(effect*n*(2*q+alpha*(1-alpha)))
	switch {
	case z <= -1.96:
		return report.Held
	case z > 1.96:
		return report.Lost
	}
	return report.Undecided
}

// bernstein is the bound of Maurer and Pontil (2009), which is proved for every distribution; a loss lies in [-1, 1].
func bernstein(pictures []report.Outcome, alpha float64) report.Verdict {
	_, mean, variance := losses(pictures)
	n, u := float64(len(pictures)), math.Log(2/miss)
	wide := math.Sqrt(2*variance*u/n) + 2*7*u/(3*(n-1))
	return verdict(mean-wide, mean+wide, alpha)
}

// betting is the test by a wealth that cannot be expected to grow (Waudby-Smith and Ramdas 2024), with their plug-in bets; it too
// is proved for every distribution.
func betting(pictures []report.Outcome, alpha float64) report.Verdict {
	all, _, _ := losses(pictures)
	if wealthy(all, alpha, -1) {
		return report.Held
	}
	if wealthy(all, alpha, 1) {
		return report.Lost
	}
	return report.Undecided
}

// wealthy tells whether bets that the mean is above alpha (sign 1) or below it multiply the stake by 1/miss.
func wealthy(all []float64, alpha, sign float64) bool {
	wealth, sum, squares := 0., 0., .25
	for i, x := range all {
		n := float64(i + 1)
		bet := min(.5/(1+alpha), math.Sqrt(2*math.Log(1/miss)*n/(squares*float64(len(all)))))
		if sign < 0 {
			bet = min(bet, .5/(1-alpha))
		}
		wealth += math.Log1p(sign * bet * (x - alpha))
		if wealth >= math.Log(1/miss) {
			return true
		}
		sum += x
		squares += (x - sum/(n+1)) * (x - sum/(n+1))
	}
	return false
}
