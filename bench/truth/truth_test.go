package truth

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

const tiny = `
seed = 3
threads = 1
device = "cpu"
[data]
source = "ads"
train = 24
validation = 8
test = 4
ood = 4
[importance]
pictures = 8
batch = 4
[teacher]
checkpoint = %q
[[stage]]
name = "blocks"
criterion = "taylor"
keep = { language = 1 }
[stage.distil]
batch = 4
lr = 1e-3
pair = 1.0
`

// opened is a tiny network whose weights are drawn, but for one FFN unit and one head, of which all are zero.
func opened(t *testing.T) *pipeline.Apart {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	cfg, err := config.Parse("train.toml", `
[data]
source = "ads"
[teacher.train]
vision   = { width = 16, layers = 2, heads = 2, head_size = 4, ffn = 12, patch = 24 }
qformer  = { width = 12, layers = 2, heads = 2, head_size = 4, ffn = 8, queries = 4, cross_every = 2 }
language = { width = 12, layers = 3, heads = 2, head_size = 4, ffn = 8, positions = 40 }
[[stage]]
name = "blocks"
keep = { language = 1 }`)
	require.NoError(t, err)
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 1, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	c, err := cfg.Teacher.Train.ModelConfig(48, set.Tokenizer)
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	defer m.Store().Free()
	require.NoError(t, m.Store().Init(7, torch.CPU))
	for axis, unit := range dead {
		erase(t, m, axis, unit)
	}
	folder := t.TempDir()
	require.NoError(t, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, Pre: model.AdsPreprocessor(48)}.Save(m, folder))
	cfg, err = config.Parse("tiny.toml", fmt.Sprintf(tiny, folder))
	require.NoError(t, err)
	cfg, err = cfg.Resolve()
	require.NoError(t, err)
	a, err := pipeline.OpenApart(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	return a
}

var dead = map[string]int{"language_model.model.decoder.layers.1.ffn": 5, "vision_model.encoder.layers.0.heads": 1}

// erase sets all weights of a unit to zero.
func erase(t *testing.T, m model.Network, axis string, unit int) {
	a := m.Store().Axis(axis)
	require.NotNil(t, a, axis)
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			for _, member := range m.Store().Members(a) {
				shape := make([]int, len(member.Param.Dims))
				for i := range shape {
					shape[i] = 1
				}
				units := member.Param.Dims[member.Dim].Units(a)
				keep := make([]float64, len(units))
				for i, u := range units {
					if u != unit {
						keep[i] = 1
					}
				}
				shape[member.Dim] = len(keep)
				v := member.Param.T()
				v.CopyFrom(v.Mul(torch.From(keep, torch.CPU, shape...).To(v.DType())))
			}
		})
		return nil
	}))
}

// All units of a tiny network are taken away: one without weights changes nothing, and no score but random's puts another of its axis
// below it. The whole report is the same when it is measured again.
func TestMeasure(t *testing.T) {
	torchtest.Setup(t)
	a := opened(t)
	o := Options{Units: 100, Pictures: 6, Resamples: 10, Subsets: []Subsets{{Axis: "language_model.model.decoder.layers", Keep: 2, Steps: 2}}}
	r, err := Measure(context.Background(), a, o, nil)
	require.NoError(t, err)
	assert.Equal(t, 6, r.Pictures)
	assert.Equal(t, 8, r.Scored)
	assert.Greater(t, r.Questions, r.Pictures)

	teacher, err := a.Teacher.Get()
	require.NoError(t, err)
	want := 0
	for _, axis := range config.AxesOf(Kinds, teacher) {
		want += axis.Units()
	}
	require.Len(t, r.Units, want)
	found, idle := 0, 0
	for _, u := range r.Units {
		if unit, ok := dead[u.Axis]; !ok || unit != u.Unit {
			if u.Change.CrossEntropy == 0 { // the dimensions of the erased head, and units that no picture wakes
				idle++
			}
			continue
		}
		found++
		assert.InDelta(t, 0, u.Change.CrossEntropy, 1e-14)
		assert.InDelta(t, 0, u.Change.Margin, 1e-14)
		for way, score := range u.Scores {
			if way != "random" {
				assert.Zero(t, score, "%s %s", u.Axis, way)
			}
		}
	}
	assert.Equal(t, len(dead), found)
	assert.Less(t, idle, want/10)
	for _, u := range r.Units {
		ways := 15 // four criteria with three losses, activation, magnitude, random
		switch nn.Kind(u.Kind) {
		case nn.Blocks:
			ways = 17
		case nn.Queries:
			ways = 14
		}
		assert.Len(t, u.Scores, ways, u.Axis)
	}

	require.Len(t, r.Oracles, 1)
	oracle := r.Oracles[0]
	require.Len(t, oracle.Subsets, 3)
	assert.Len(t, oracle.Choices, 17)
	for _, s := range oracle.Subsets {
		assert.NotEqual(t, s.Cut, s.Trained)
		assert.LessOrEqual(t, oracle.Subsets[oracle.Oracle.Subset].Cut.CrossEntropy, s.Cut.CrossEntropy)
	}

	again, err := Measure(context.Background(), a, o, nil)
	require.NoError(t, err)
	assert.JSONEq(t, text(t, r), text(t, again))
}

func text(t *testing.T, r *Report) string {
	out, err := json.Marshal(r)
	require.NoError(t, err)
	return string(out)
}

// What cannot be tried is the user's fault, and is said before anything is measured.
func TestRefusals(t *testing.T) {
	torchtest.Setup(t)
	a := opened(t)
	for _, c := range []struct {
		s    Subsets
		says string
	}{
		{Subsets{Axis: "nothing", Keep: 1}, "no axis"},
		{Subsets{Axis: "language_model.vocabulary", Keep: 1}, "no axis"},
		{Subsets{Axis: "vision_model.encoder.layers.0.value_size", Keep: 4}, "in 2 groups"},
		{Subsets{Axis: "qformer.queries", Keep: 4}, "keep 1 to 3"},
		{Subsets{Axis: "vision_model.hidden", Keep: 8}, "more than 1000 ways"},
	} {
		_, err := Measure(context.Background(), a, Options{Units: 1, Pictures: 1, Subsets: []Subsets{c.s}}, nil)
		var input *fault.InputError
		require.ErrorAs(t, err, &input)
		assert.ErrorContains(t, err, c.says)
	}
	cfg := a.Config.Clone()
	cfg.Teacher = config.TeacherConfig{Train: config.DefaultTrain()}
	_, err := pipeline.OpenApart(cfg, nil)
	var input *fault.InputError
	require.ErrorAs(t, err, &input)
	assert.ErrorContains(t, err, "teacher.checkpoint")
}
