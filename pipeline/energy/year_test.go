package energy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/report"
)

// uniform in the logarithm from low to high, where base is their geometric mean.
func logUniform(low, high float64) report.Input {
	return report.Input{Low: low, Base: math.Sqrt(low * high), High: high}
}

// moments of such an input: E x = (h − l) / ln(h/l), E x² = (h² − l²) / (2 ln(h/l)).
func moments(in report.Input) (mean, variance float64) {
	l := math.Log(in.High / in.Low)
	mean = (in.High - in.Low) / l
	return mean, (in.High*in.High-in.Low*in.Low)/(2*l) - mean*mean
}

func average(values []float64) (sum float64) {
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

// A weighted sum: the variance is the sum of those of its terms, and each input's share is its term's.
func TestSharesOfASum(t *testing.T) {
	inputs := []report.Input{logUniform(1, 4), logUniform(2, 10), logUniform(5, 6)}
	weights := []float64{3, 1, 0}
	f := func(v []float64) float64 { return 3*v[0] + v[1] }
	d := draw(f, inputs, 1<<15, rand.New(rand.NewPCG(1, 2)))
	total, mean := 0., 0.
	want := make([]float64, len(inputs))
	for i, in := range inputs {
		m, v := moments(in)
		want[i] = weights[i] * weights[i] * v
		total, mean = total+want[i], mean+weights[i]*m
	}
	for i := range want {
		assert.InDelta(t, want[i]/total, d.shares[i], .02, "input %d", i)
	}
	assert.Zero(t, d.shares[2], "it moves nothing")
	assert.InDelta(t, 1, average(d.shares)*3, 1e-9)
	assert.InEpsilon(t, mean, average(d.values), .01)
}

// A product: both inputs share what they do together in halves, Var(xy) = Vx my² + Vy mx² + Vx Vy.
func TestSharesOfAProduct(t *testing.T) {
	inputs := []report.Input{logUniform(1, 4), logUniform(2, 20)}
	d := draw(func(v []float64) float64 { return v[0] * v[1] }, inputs, 1<<15, rand.New(rand.NewPCG(3, 4)))
	mx, vx := moments(inputs[0])
	my, vy := moments(inputs[1])
	total := vx*my*my + vy*mx*mx + vx*vy
	assert.InDelta(t, (vx*my*my+vx*vy/2)/total, d.shares[0], .02)
	assert.InDelta(t, (vy*mx*mx+vx*vy/2)/total, d.shares[1], .02)
	assert.InDelta(t, 1, d.shares[0]+d.shares[1], 1e-9)
	assert.InEpsilon(t, mx*my, average(d.values), .02)
	// The logarithm of one input is uniform: its quantiles are known.
	d = draw(func(v []float64) float64 { return v[0] }, inputs[:1], 1<<15, rand.New(rand.NewPCG(5, 6)))
	for _, p := range []float64{.025, .5, .975} {
		assert.InEpsilon(t, math.Pow(4, p), d.quantile(p), .01)
	}
	assert.InDelta(t, .5, d.above(2), .01)
}

// Half of the draws are below the base, wherever it lies; an end that is the base takes its half.
func TestBaseIsTheMedian(t *testing.T) {
	in := report.Input{Low: 1, Base: 2, High: 50}
	assert.Equal(t, []float64{1, 2, 50}, []float64{sample(in, 0), sample(in, .5), sample(in, 1)})
	assert.InDelta(t, math.Sqrt2, sample(in, .25), 1e-12)
	assert.InDelta(t, 10, sample(in, .75), 1e-12)
	assert.Equal(t, 3., sample(report.Input{Low: 3, Base: 3, High: 3}, .3))
}

// Break-even values by algebra: a factor must grow by claim/saved; the teacher's joules by the saving that lacks; where the student would
// need less than nothing, there is none.
func TestBreakEven(t *testing.T) {
	c := config.DefaultEnergy()
	c.TeacherJoules, c.StudentJoules = &config.Estimate{Base: 280, Low: 280, High: 280}, &config.Estimate{Base: 36, Low: 36, High: 36}
	y := Of(Taken{}, c, 1).Modelled.Year
	perJoule := 1000 * 1.5 * 1.3 * secondsAYear / joulesAKWh
	require.InEpsilon(t, 244*perJoule, y.Saved, 1e-9)
	want := map[string]float64{"models": 75e6 / y.Saved, "requests_per_s": 1000 * 75e6 / y.Saved, "hardware": 75e6 / y.Saved, "server": 1.5 * 75e6 / y.Saved,
		"pue": 1.3 * 75e6 / y.Saved, teacherJoules: 36 + 75e6/perJoule}
	for _, in := range y.Inputs {
		if in.Name == studentJoules {
			assert.Nil(t, in.BreakEven, "it would be %g", 280-75e6/perJoule)
			continue
		}
		require.NotNil(t, in.BreakEven, in.Name)
		assert.InEpsilon(t, want[in.Name], *in.BreakEven, 1e-9, in.Name)
	}
	c.ClaimKWh = 200 * perJoule
	for _, in := range Of(Taken{}, c, 1).Modelled.Year.Inputs {
		if in.Name == studentJoules {
			assert.InEpsilon(t, 80, *in.BreakEven, 1e-9)
		}
	}
}

// The paper's model: the claim is 18 times what the base inputs give; the seed decides the draws.
func TestPaper(t *testing.T) {
	c := config.DefaultEnergy()
	y := Paper(c, 1)
	assert.InEpsilon(t, 244*1000*1.5*1.3*secondsAYear/joulesAKWh, y.Saved, 1e-9)
	assert.Less(t, y.Interval[0], y.Saved)
	assert.Greater(t, y.Interval[1], y.Claim)
	assert.Equal(t, y, Paper(c, 1))
	assert.NotEqual(t, y.Interval, Paper(c, 2).Interval)
	sum := 0.
	for _, in := range y.Inputs {
		sum += in.Share
		assert.NotEmpty(t, in.Source, in.Name)
		assert.NotEmpty(t, in.Unit, in.Name)
		assert.LessOrEqual(t, in.Low, in.Base, in.Name)
		assert.LessOrEqual(t, in.Base, in.High, in.Name)
	}
	assert.InDelta(t, 1, sum, 1e-9)
	c.RequestsPerS = &config.Estimate{Base: 36000, Low: 36000, High: 36000, Source: "run.toml"}
	assert.Greater(t, Paper(c, 1).Saved, 75e6)
}

// docs/config.md and the example show what holds where a key is not given.
func TestExamplesAreTheBuiltInInputs(t *testing.T) {
	for _, in := range []report.Input{models, requests, coreWatts, hardware, server, pue} {
		assert.Regexp(t, fmt.Sprintf(`(?m)^# %s = %g `, in.Name, in.Base), config.Example())
	}
}
