package energy

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"espalier/pipeline/report"
)

// draws are a Monte Carlo of a model: its values, sorted, and each input's share of their variance.
type draws struct {
	values []float64
	shares []float64
}

// draw draws the inputs independently of each other. The shares are Shapley effects (Owen 2014; Song, Nelson, Staum 2016): what an input
// adds to the variance, averaged over all orders in which the inputs may become known. Unlike Sobol's first-order indices they add up to
// 1, also where inputs multiply each other.
func draw(f model, inputs []report.Input, n int, random *rand.Rand) draws {
	first, second := make([][]float64, n), make([][]float64, n)
	values := make([]float64, n)
	for k := range n {
		first[k], second[k] = make([]float64, len(inputs)), make([]float64, len(inputs))
		for i, in := range inputs {
			first[k][i], second[k][i] = sample(in, random.Float64()), sample(in, random.Float64())
		}
		values[k] = f(first[k])
	}
	// unknown[u] is the variance that is left when all inputs but those of the set u are known (Jansen's estimator): half the mean square of
	// what the model changes by when the inputs of u are drawn anew.
	unknown := make([]float64, 1<<len(inputs))
	mixed := make([]float64, len(inputs))
	for u := range unknown {
		sum := 0.
		for k := range n {
			for i := range inputs {
				if mixed[i] = first[k][i]; u>>i&1 == 1 {
					mixed[i] = second[k][i]
				}
			}
			d := f(mixed) - values[k]
			sum += d * d
		}
		unknown[u] = sum / float64(2*n)
	}
	slices.Sort(values)
	return draws{values, shapley(unknown, len(inputs))}
}

// shapley shares unknown[all] among n inputs.
func shapley(unknown []float64, n int) []float64 {
	shares := make([]float64, n)
	total := unknown[len(unknown)-1]
	if total == 0 {
		return shares
	}
	for u := range unknown {
		size := bits.OnesCount(uint(u))
		for i := range n {
			if u>>i&1 == 0 {
				weight := math.Exp(lnFactorial(size) + lnFactorial(n-size-1) - lnFactorial(n))
				shares[i] += weight * (unknown[u|1<<i] - unknown[u]) / total
			}
		}
	}
	return shares
}

func lnFactorial(n int) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}

// sample is the value of an input below which it lies with a probability p: half of the draws are below its base, and the logarithm is
// uniform in each half.
func sample(in report.Input, p float64) float64 {
	if p < .5 {
		return in.Low * math.Pow(in.Base/in.Low, 2*p)
	}
	return in.Base * math.Pow(in.High/in.Base, 2*p-1)
}

// quantile interpolates between the neighbours of a share of the values.
func (d draws) quantile(share float64) float64 {
	at := share * float64(len(d.values)-1)
	i := min(int(at), len(d.values)-2)
	return d.values[i] + (at-float64(i))*(d.values[i+1]-d.values[i])
}

// above is the share of the values that reach a claim.
func (d draws) above(claim float64) float64 {
	i, _ := slices.BinarySearch(d.values, claim)
	return float64(len(d.values)-i) / float64(len(d.values))
}
