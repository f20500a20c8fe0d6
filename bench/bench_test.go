package bench

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
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

// Losses of bfloat16 may differ as the peer's own rounding makes them: these are of a block with 2.7B's widths. What is not a number is refused.
func TestLossesAllowed(t *testing.T) {
	theirs, wide := []float64{83.553, 81.662}, []float64{83.601, 81.640}
	alike := func(mine []float64, allowed float64) error {
		return Check{Difference: farthest(mine, theirs), Allowed: allowed}.void()
	}
	assert.InDelta(t, 3*.048, halfLossAllowed(theirs, wide), 1e-9)
	assert.Equal(t, bf16LossAllowed, halfLossAllowed([]float64{4.001}, []float64{4}))
	assert.NoError(t, alike([]float64{83.564, 81.623}, halfLossAllowed(theirs, wide)))
	assert.Error(t, alike([]float64{83.564, 81.5}, halfLossAllowed(theirs, wide)))
	assert.Error(t, alike(theirs, halfLossAllowed(theirs, []float64{83.6, math.NaN()})))
	assert.InDelta(t, 83.553e-4, wideLossAllowed(theirs), 1e-9)
	assert.Equal(t, lossAllowed, wideLossAllowed([]float64{.5}))
	assert.Error(t, alike(theirs, wideLossAllowed([]float64{math.NaN()})))
}

func TestNamesAreDistinct(t *testing.T) {
	torchtest.Setup(t)
	few, names := choose(parts(false, torch.CPU), "")
	require.Len(t, few, 1)
	assert.Len(t, names, 7)
	all, names := choose(parts(true, torch.CPU), "")
	assert.Greater(t, len(all), 3)
	seen := map[string]bool{}
	for _, n := range names {
		assert.False(t, seen[n], n)
		seen[n] = true
	}
	some, _ := choose(parts(true, torch.CPU), "beside transformers")
	require.Len(t, some, 1)
	assert.Len(t, some[0].measures, 2)
	none, _ := choose(parts(true, torch.CPU), "no such measure")
	assert.Empty(t, none)
}

// Other sizes are the networks that they are named after.
func TestSizes(t *testing.T) {
	torchtest.Setup(t)
	for _, c := range []struct {
		size
		millions float64
	}{{vitB, 311}, {block, 250}, {large, 5400}, {small, 300}, {wider("half", 1, 2), .7}, {wider("twice", 2, 1), 12}} {
		config, err := c.size.config()
		require.NoError(t, err)
		m, err := model.New(config)
		require.NoError(t, err)
		assert.InEpsilon(t, c.millions, float64(m.Store().Count())/1e6, .1, c.name)
		m.Store().Free()
	}
}

// Layers that are not drawn are like those that are.
func TestRepeatedLayers(t *testing.T) {
	torchtest.Setup(t)
	s := defaultSize
	s.half = true
	m, err := newTeacher(s)
	require.NoError(t, err)
	defer m.Store().Free()
	values := m.Store().Named()
	weight := func(layer string) []float64 {
		w := values["qformer.encoder.layer."+layer+".intermediate_query.dense.weight"]
		require.Equal(t, torch.BFloat16, w.DType())
		return w.Floats()
	}
	assert.Equal(t, weight("0"), weight("2"))
	assert.NotEqual(t, weight("0"), weight("1"))
}

// A matrix product counts twice its multiply-adds, and each of the three counts grows as it must.
func TestWork(t *testing.T) {
	assert.Equal(t, 2.*(4*8*16+2*8*32)+2*2*2*16, layerWork(2, 2, 8, 16, 32))
	torchtest.Setup(t)
	m, err := drawMaterial(batched("two", 2))
	require.NoError(t, err)
	one, err := drawMaterial(batched("one", 1))
	require.NoError(t, err)
	assert.InEpsilon(t, 2, m.stepWork()/one.stepWork(), .05)
	assert.Equal(t, 16*m.answerWork(1), m.answerWork(16))
	// The default teacher has 3 million parameters; every token of a picture passes those of a tower once.
	v := m.config.Vision
	assert.Greater(t, m.readWork(), 2*37.*12*float64(v.Layers*v.Hidden*v.Hidden))
}

func TestExponents(t *testing.T) {
	row := func(over string, of, here, there float64) Row {
		return Row{Over: over, Of: of, Here: Quartiles{Median: here}, There: &Quartiles{Median: there}}
	}
	r := &Report{Rows: []Row{row("pictures", 8, 2, 8), {Name: "other"}, row("pictures", 16, 4, 8), row("pictures", 32, 8, 8), row("threads", 1, 1, 1)}}
	got := r.Exponents()
	require.Len(t, got, 1, "one point has no slope")
	assert.Equal(t, "pictures", got[0].Over)
	assert.InDelta(t, 1, got[0].Here, 1e-12)
	assert.InDelta(t, 0, got[0].There, 1e-12)
}

// A checkpoint is measured and left as it was, and nothing stays beside it.
func TestLarge(t *testing.T) {
	torchtest.Setup(t)
	h, err := drawNetwork(batched("small", 1))
	require.NoError(t, err)
	net := h.networks["teacher"]
	folder := filepath.Join(t.TempDir(), "teacher")
	require.NoError(t, net.Save(folder))
	before, err := filepath.Glob(filepath.Join(filepath.Dir(folder), "*", "*"))
	require.NoError(t, err)
	l, err := MeasureLarge(t.Context(), folder, nn.Blocks)
	require.NoError(t, err)
	assert.Equal(t, int64(net.Store().Bytes()), l.Weights)
	assert.Greater(t, l.Bytes, l.Weights, "with config.json")
	assert.InEpsilon(t, l.Weights/2, l.Written, .1)
	require.NoError(t, l.Score(nn.Blocks))
	assert.Greater(t, l.ImportancePeak, l.Weights)
	assert.Positive(t, l.ImportanceSeconds)
	after, err := filepath.Glob(filepath.Join(filepath.Dir(folder), "*", "*"))
	require.NoError(t, err)
	assert.Equal(t, before, after)
	_, err = MeasureLarge(t.Context(), folder, "no kind")
	assert.ErrorContains(t, err, "no axis")
	net.Store().Free()
}

// A decoder alone is measured too, which sees no pictures.
func TestDecodersAreMeasured(t *testing.T) {
	torchtest.Setup(t)
	c, err := model.DecoderConfig(map[string]any{"model_type": "opt", "hidden_size": 16, "word_embed_proj_dim": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
		"ffn_dim": 24, "vocab_size": 40, "max_position_embeddings": 40, "eos_token_id": 2})
	require.NoError(t, err)
	net, err := model.New(c)
	require.NoError(t, err)
	defer net.Store().Free()
	require.NoError(t, net.Store().Init(1, torch.CPU))
	folder := filepath.Join(t.TempDir(), "decoder")
	require.NoError(t, net.Save(folder))
	l, err := MeasureLarge(t.Context(), folder, nn.FFN)
	require.NoError(t, err)
	require.NoError(t, l.Score(nn.FFN))
	list, err := Checkpoints(t.Context(), []string{folder}, Options{Threads: 1, Device: torch.CPU}, func(Event) {})
	require.NoError(t, err)
	assert.Positive(t, list[0].Throughput.AnswersPerS)
}

// The networks of the benchmark are those of the default job.
func TestNetworksHaveTheDefaultSizes(t *testing.T) {
	torchtest.Setup(t)
	h, err := prepare(t.TempDir(), defaultSize)
	require.NoError(t, err)
	for name, want := range map[string]int{"teacher": 3044640, "student": 164412} {
		assert.Equal(t, want, h.networks[name].Store().Count(), name)
		h.networks[name].Store().Free()
	}
}

func TestLargeNamesABadCheckpoint(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, folder := range []string{file, filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		_, err := MeasureLarge(t.Context(), folder, nn.FFN)
		var c *CheckpointError
		assert.ErrorAs(t, err, &c)
	}
}
