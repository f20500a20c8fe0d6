package bench

import (
	"bufio"
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

func TestQuartiles(t *testing.T) {
	assert.Equal(t, Quartiles{Low: 2, Median: 3, High: 4}, quartiles([]float64{5, 1, 3, 2, 4}))
	assert.Equal(t, 2.5, median([]float64{4, 1, 3, 2}))
	assert.True(t, math.IsNaN(median(nil)))
}

func TestPeerProtocol(t *testing.T) {
	var sent bytes.Buffer
	p := &peer{to: &sent, from: bufio.NewReader(strings.NewReader("{\"seconds\": [1, 2]}\n{\"error\": \"no such net\"}\nTraceback\n"))}
	a, err := p.ask(request{"do": "tiny", "n": 2})
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 2}, a.Seconds)
	assert.JSONEq(t, `{"do": "tiny", "n": 2}`, sent.String())
	_, err = p.ask(request{})
	assert.ErrorContains(t, err, "no such net")
	_, err = p.ask(request{})
	assert.ErrorContains(t, err, "Traceback")
	_, err = p.ask(request{})
	assert.ErrorContains(t, err, "ended without an answer")
}

func TestFarthest(t *testing.T) {
	assert.InDelta(t, 1, farthest([]float64{1, -10}, []float64{2, -10}), 1e-12)
	assert.True(t, math.IsNaN(farthest([]float64{1, 2}, []float64{math.NaN(), 2})))
	assert.True(t, math.IsInf(farthest([]float64{1}, []float64{1, 2}), 1))
}

// The networks of the benchmark are those of the default job.
func TestNetworksHaveTheDefaultSizes(t *testing.T) {
	torchtest.Setup(t)
	h, err := prepare(t.TempDir())
	require.NoError(t, err)
	for name, want := range map[string]int{"teacher": 3044640, "student": 164412} {
		assert.Equal(t, want, h.networks[name].Store().Count(), name)
		h.networks[name].Store().Free()
	}
}
