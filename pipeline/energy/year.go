package energy

import (
	"math/rand/v2"
	"strings"

	"espalier/pipeline/random"
	"espalier/pipeline/report"
)

const (
	secondsAYear = 365.25 * 24 * 3600
	joulesAKWh   = 3.6e6
	drawsOfAYear = 1 << 14
	shareOfDraws = .95 // within the interval
)

// model is a quantity as a function of its inputs' values, in their order.
type model func(values []float64) float64

// yearly is the energy in kWh that a year of answers saves: the difference between the two networks, times all other inputs.
func yearly(inputs []report.Input) model {
	return func(values []float64) float64 {
		difference, product := 0., secondsAYear/joulesAKWh
		for i, v := range values {
			switch inputs[i].Name {
			case teacherJoules, teacherSeconds:
				difference += v
			case studentJoules, studentSeconds:
				difference -= v
			default:
				product *= v
			}
		}
		return difference * product
	}
}

// formula writes yearly down.
func formula(inputs []report.Input) string {
	var difference, product []string
	for _, in := range inputs {
		switch in.Name {
		case teacherJoules, teacherSeconds, studentJoules, studentSeconds:
			difference = append(difference, in.Name)
		default:
			product = append(product, in.Name)
		}
	}
	return "(" + strings.Join(difference, " − ") + ") × " + strings.Join(product, " × ") + " × 31,557,600 s / 3,600,000 J"
}

// yearOf computes the year, and fills in what each input moves.
func yearOf(basis report.Basis, inputs []report.Input, claim float64, seed int) *report.Year {
	f := yearly(inputs)
	y := &report.Year{Formula: formula(inputs), Basis: basis, Claim: claim, Draws: drawsOfAYear, Seed: seed, Inputs: inputs}
	base := make([]float64, len(inputs))
	for i, in := range inputs {
		base[i] = in.Base
	}
	y.Saved = f(base)
	for i := range inputs {
		in := &y.Inputs[i]
		in.SavedLow, in.SavedHigh = at(f, base, i, in.Low), at(f, base, i, in.High)
		in.BreakEven = breakEven(f, base, i, claim)
	}
	d := draw(f, inputs, drawsOfAYear, rand.New(rand.NewPCG(random.Stream(seed, "energy"), 0)))
	y.Median, y.Interval, y.Reached = d.quantile(.5), [2]float64{d.quantile((1 - shareOfDraws) / 2), d.quantile((1 + shareOfDraws) / 2)}, d.above(claim)
	for i, share := range d.shares {
		y.Inputs[i].Share = share
	}
	return y
}

// at is the model with one input at another value than its base.
func at(f model, base []float64, i int, value float64) float64 {
	kept := base[i]
	defer func() { base[i] = kept }()
	base[i] = value
	return f(base)
}

// breakEven is the value of an input at which the model gives the claim, with the others at their bases; nil where no value above zero
// does. The model is linear in each input.
func breakEven(f model, base []float64, i int, claim float64) *float64 {
	zero := at(f, base, i, 0)
	slope := (f(base) - zero) / base[i]
	if value := (claim - zero) / slope; slope != 0 && value > 0 {
		return &value
	}
	return nil
}
