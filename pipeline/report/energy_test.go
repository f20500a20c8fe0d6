package report

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func someEnergy() *Energy {
	even := 18000.
	return &Energy{
		Modelled: Modelled{
			Joules: &Joules{Basis: Estimated, Sources: []string{"CPU time × 4 W"}, Trials: 5, Window: 5, Batch: 64, Threads: 2, Device: "Some CPU",
				Idle: Spread{.001, 0, .002},
				Networks: []NetworkJoules{{Name: "teacher", Gross: Spread{.0031, .003, .0034}, Net: Spread{.003, .0029, .0033}, AnswersPerS: 2218},
					{Name: "student", Gross: Spread{.000312, .0003, .00033}, Net: Spread{.00031, .0003, .00033}, AnswersPerS: 20920}}},
			Year: &Year{Formula: "f", Basis: Estimated, Claim: 75e6, Saved: 4.17e6, Median: 6e6, Interval: [2]float64{208000, 1.59e8}, Reached: .069, Draws: 16384, Seed: 1,
				Inputs: []Input{{Name: "requests_per_s", Unit: "1/s", Low: 100, Base: 1000, High: 10000, Source: "assumed", SavedLow: 417000, SavedHigh: 4.17e7, Share: .6, BreakEven: &even},
					{Name: "student_seconds", Unit: "s", Low: .07, Base: .09, High: .09, Source: "read", SavedLow: 4.29e6, SavedHigh: 4.17e6, Share: .4}}},
		},
		Notes: []string{"no counter can be read"},
	}
}

// Whoever reads the tables sees what is estimated, and which inputs have no break-even.
func TestEnergyTablesSayWhatIsEstimated(t *testing.T) {
	e := someEnergy()
	var text strings.Builder
	for _, table := range e.Tables() {
		text.WriteString(table.Title + "\n")
		for _, row := range table.Rows {
			require.Len(t, row, len(table.Columns), table.Title)
			text.WriteString(strings.Join(row, "|") + "\n")
		}
	}
	for _, want := range []string{"Energy of an answer, estimated (64 pictures at once, threads: 2, Some CPU)", "teacher|estimated|3.1|3 – 3.4|3|2.9 – 3.3|2,218", "idle, watts|estimated|0.001|0 – 0.002",
		"break-even for 75,000,000 kWh", "requests_per_s|1/s|100|1,000|10,000|417,000|41,700,000|60.0|18,000", "student_seconds|s|0.07|0.09|0.09|4,290,000|4,170,000|40.0|–"} {
		assert.Contains(t, text.String(), want)
	}
	assert.Equal(t, []string{"joules an answer estimated: CPU time × 4 W; trials: 5, each 5 s of every network and of the idle machine, in turn",
		"modelled: 4,170,000 kWh a year saved (95 % of draws: 208,000 to 159,000,000); 75,000,000 kWh is not reached at the base inputs, and in 6.9 % of the draws",
		"kWh = f", "requests_per_s: assumed", "student_seconds: read", "no counter can be read"}, e.Facts())
	e.Measured, e.Modelled.Year.Saved = &Joules{Basis: Measured}, 75e6
	assert.Equal(t, Measured, e.Best().Basis)
	assert.Contains(t, e.Modelled.Year.Line(), "is reached at the base inputs")
}

func TestThreeDigits(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "0.00312": .003123, "18,100": 18123, "1.1e12": 1.1e12, "−4.5": -4.5, "−18,100": -18123, "1.2e−7": 1.2e-7, "75,000,000": 75e6} {
		assert.Equal(t, want, threeDigits(v))
	}
}

// The picture has bars of both ends, and the claim; a saving that can be negative has no logarithm.
func TestTornadoIsAPicture(t *testing.T) {
	for _, low := range []float64{417000, -5e6} {
		y := someEnergy().Modelled.Year
		y.Inputs[0].SavedLow = low
		path := filepath.Join(t.TempDir(), "energy.png")
		require.NoError(t, y.WritePlot(path))
		f, err := os.Open(path)
		require.NoError(t, err)
		defer f.Close()
		img, err := png.Decode(f)
		require.NoError(t, err)
		colours := map[any]int{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				colours[img.At(x, y)]++
			}
		}
		assert.Greater(t, colours[OODColor], 1000, "bar to the low end")
		assert.Greater(t, colours[RecoverColor], 1000, "bar to the high end")
		assert.Greater(t, colours[FallColor], 100, "the claim")
	}
}
