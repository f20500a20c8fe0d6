package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/runtest"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// oddNetwork is a network of a family whose widths are no multiples of what shares are rounded to.
func oddNetwork(t *testing.T, kind, language string) *model.Blip2 {
	t.Helper()
	text := map[string]string{
		"opt":   `{"model_type": "opt", "hidden_size": 30, "ffn_dim": 45, "num_hidden_layers": 3, "num_attention_heads": 5, "vocab_size": 20}`,
		"t5":    `{"model_type": "t5", "d_model": 30, "d_kv": 6, "d_ff": 45, "num_layers": 3, "num_decoder_layers": 3, "num_heads": 5, "vocab_size": 20}`,
		"llama": `{"model_type": "llama", "hidden_size": 30, "head_dim": 6, "intermediate_size": 45, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2, "vocab_size": 20}`,
	}[language]
	c, err := model.ParseConfig([]byte(fmt.Sprintf(`{"model_type": %q, "num_query_tokens": 3,
		"vision_config": {"hidden_size": 18, "intermediate_size": 37, "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 8, "patch_size": 4},
		"qformer_config": {"hidden_size": 22, "intermediate_size": 29, "num_hidden_layers": 3, "num_attention_heads": 2, "encoder_hidden_size": 18,
			"vocab_size": 20, "max_position_embeddings": 16},
		"text_config": %s}`, kind, text)))
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	return m
}

// keepAll is a stage that keeps all of a network, as shares or as counts.
func keepAll(name string, shares bool, m model.Network) config.StageConfig {
	s := config.DefaultStage()
	s.Name, s.Distil.Steps = name, 8
	for _, a := range m.Store().Axes() {
		k := s.Keep.Of(a.Tower)
		keep := config.Keep{Share: 1}
		if !shares {
			keep = config.Keep{Units: a.Units()}
		}
		switch {
		case a.Kind == nn.Heads && name == "inner":
			k.Heads = keep
		case a.Kind == nn.ValueSize && name == "inner":
			if k.HeadSize = keep; !shares {
				k.HeadSize = config.Keep{Units: a.Each()}
			}
		case a.Kind == nn.FFN && name == "inner":
			k.FFN = keep
		case a.Kind == nn.Blocks && name == "blocks", a.Kind == nn.Hidden && name == "hidden":
			k.Units = keep
		}
	}
	return s
}

// 100 % and the same as a count are the same plan: of every kind, in every tower and family, in each cut of a stage, alone
// and before stages that do cut, with either format.
func TestKeepAllAsShareAndAsCount(t *testing.T) {
	torchtest.Setup(t)
	for _, f := range runtest.Families {
		m := oddNetwork(t, f[0], f[1])
		for _, name := range []string{"blocks", "inner", "hidden"} {
			for _, format := range []string{"espalier", config.FormatTransformers} {
				for _, then := range [][]config.StageConfig{nil, {{Name: "hidden", Keep: config.Towers{Vision: config.TowerKeep{Units: config.Keep{Units: 12}}, Language: config.TowerKeep{Units: config.Keep{Share: .5}}}}}} {
					var plans [2]string
					for i, shares := range []bool{true, false} {
						c := &config.Config{Stages: append([]config.StageConfig{keepAll(name, shares, m)}, then...), Export: config.ExportConfig{Format: format}}
						c.Stages[0].Cuts = 3
						s := &c.Stages[0]
						axes := config.AxesOf(s.Kinds(), m)
						require.NotEmpty(t, axes)
						for _, a := range axes {
							assert.Equal(t, a.Each(), s.Target(a, a.Each()), "%s, %v", a.Name, shares)
							for cut := 1; cut <= 3; cut++ {
								assert.Equal(t, a.Each(), s.UnitsAfter(a, a.Each(), cut), "%s, %v, cut %d", a.Name, shares, cut)
							}
						}
						notes, err := c.FitExport(m)
						plans[i] = fmt.Sprint(notes, err, c.Stages.CheckKeep(m), len(c.Stages) == 2 && c.Stages[1].Keep == then[0].Keep)
						final := model.Network(m)
						for i := range c.Stages {
							final, err = c.Stages[i].Declare(final, c.Stages[i].Cuts)
							require.NoError(t, err)
						}
						plans[i] += fmt.Sprint(final.Store().Structure())
						if then == nil {
							assert.Equal(t, m.Store().Structure().Axes, final.Store().Structure().Axes)
						}
					}
					assert.Equal(t, plans[0], plans[1], "%v, %s, %s, %d stages after", f, name, format, len(then))
				}
			}
		}
	}
}

// A stage that keeps all is distillation alone: before it, the student has the teacher's bits.
func TestKeepAllCutsNothing(t *testing.T) {
	torchtest.Setup(t)
	for _, f := range runtest.Families {
		m := oddNetwork(t, f[0], f[1])
		require.NoError(t, m.Store().Init(7, torch.CPU))
		for _, name := range []string{"blocks", "inner", "hidden"} {
			s := keepAll(name, true, m)
			plan := pruning.Plan{Keep: map[string][]int{}}
			for _, a := range config.AxesOf(s.Kinds(), m) {
				var err error
				scores := make([]float64, a.Units())
				for u := range scores {
					scores[u] = float64(-u)
				}
				plan.Keep[a.Name], err = pruning.Choose(a, scores, s.Target(a, a.Each())*(a.Units()/a.Each()))
				require.NoError(t, err)
			}
			after, err := pruning.Apply(m, plan)
			require.NoError(t, err)
			for i, p := range m.Store().Params() {
				assert.Equal(t, torch.Values[float32](p.T()), torch.Values[float32](after.Store().Params()[i].T()), "%v, %s, %s", f, name, p.Name)
			}
			after.Store().Free()
		}
		m.Store().Free()
	}
}

// Whole runs: a stage that keeps all may stand, with either spelling, and trains.
func TestKeepAllRuns(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	var students [][]byte
	for _, keep := range []string{`{ vision = "100%" }`, `{ vision = 2, qformer = 2, language = 2 }`} {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		out := filepath.Join(t.TempDir(), "run")
		cfg, err := config.Parse("small.toml", strings.Replace(smallRun, "{ vision = 1, language = 1 }", keep, 1), "data.root="+root, "output="+out)
		require.NoError(t, err)
		r, err := runWith(context.Background(), cfg, nil)
		require.NoError(t, err)
		assert.Equal(t, r.Teacher.Parameters, r.Student.Parameters)
		assert.Equal(t, r.Teacher.Accuracy, r.Stages[0].Pruned.Accuracy)
		students = append(students, student(t, out))
		teacher, err := model.Load(filepath.Join(out, "teacher"), torch.CPU)
		require.NoError(t, err)
		trained, err := model.Load(filepath.Join(out, "student"), torch.CPU)
		require.NoError(t, err)
		name := "language_model.model.decoder.layers.0.fc1.weight"
		assert.NotEqual(t, torch.Values[float32](teacher.Store().Param(name).T()), torch.Values[float32](trained.Store().Param(name).T()), "it learns")
		teacher.Store().Free()
		trained.Store().Free()
	}
	assert.Equal(t, students[0], students[1])
}
