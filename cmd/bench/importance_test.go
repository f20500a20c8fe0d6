package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/bench/truth"
)

func TestImportanceIsDrawn(t *testing.T) {
	one := func(kind, tower, way, change string, v float64) truth.Agreement {
		return truth.Agreement{Kind: kind, Tower: tower, Way: way, Change: change, Axes: 3, Units: 12, WithinSpearman: &truth.Estimate{Value: v, Low: v - .25, High: v + .125}}
	}
	r := &truth.Report{Pictures: 64, Questions: 320, Scored: 256, Seed: 2, Units: make([]truth.Unit, 24),
		Agreements: []truth.Agreement{one("ffn", "", "magnitude", "cross-entropy", .5), one("ffn", "vision", "magnitude", "cross-entropy", .875),
			one("blocks", "", "cosine", "cross-entropy", -.5), one("blocks", "", "magnitude", "margin", .75)},
		Oracles: []truth.Oracle{{Axis: "layers", Of: 3, Keep: 2, Steps: 60, BeatLoss: .5, Oracle: truth.Choice{Way: "oracle", RankCut: 1, RankLoss: 2, RankAccuracy: 1},
			Choices: []truth.Choice{{Way: "cosine", Subset: 1, RankCut: 2, RankLoss: 1, RankAccuracy: 2}},
			Subsets: []truth.Subset{{Keep: []int{0, 1}, Cut: truth.Quality{CrossEntropy: 1.5}, Trained: truth.Quality{CrossEntropy: .25, Accuracy: .9}},
				{Keep: []int{0, 2}, Cut: truth.Quality{CrossEntropy: 2}, Trained: truth.Quality{CrossEntropy: .125, Accuracy: .875}}}}}}
	var out bytes.Buffer
	require.NoError(t, drawImportance(&out, r))
	text := out.String()
	for _, want := range []string{"24 units taken away one by one; 64 validation pictures with 320 questions; scores from 256 training pictures",
		"Change of the cross-entropy: Spearman's correlation within each axis, mean over the axes", "score, units/axes        blocks 12/3        ffn 12/3",
		"cosine             −.50 (−.75, −.38)", "2 of 3 units of layers, all 2 subsets, 60 steps each", "– with the loss after training",
		"better than the oracle's after training: 50 % by loss, 0 % by accuracy", "oracle    0 1      1.500     1         0.2500     2        90.0     1",
		"cosine    0 2      2.000     2         0.1250     1        87.5     2"} {
		assert.Contains(t, text, want)
	}
	assert.Equal(t, 1, strings.Count(text, ".75 (.50, .88)"), "of the margin")
	assert.NotContains(t, text, ".88 (", "a tower's alone")
	assert.Equal(t, "1.00", twoDigits(1))
	assert.Equal(t, "−.05", twoDigits(-.05))
}
