package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// languages are small text_configs of every kind of language model, each with something of its own.
var languages = map[string]string{
	"opt":   `{"model_type": "opt", "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 60, "vocab_size": %d, "pad_token_id": 0, "eos_token_id": 1}`,
	"t5":    `{"model_type": "t5", "d_model": 32, "d_kv": 6, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "feed_forward_proj": "gated-gelu", "vocab_size": %d}`,
	"llama": `{"model_type": "llama", "hidden_size": 32, "head_dim": 6, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": %d, "pad_token_id": 0, "eos_token_id": 1}`,
}

// familyConfig is the config.json of a small network of a family; read is how many words its Q-Former knows.
func familyConfig(t *testing.T, kind, language string, vocabulary, read int) []byte {
	t.Helper()
	text := fmt.Sprintf(languages[language], vocabulary)
	require.True(t, json.Valid([]byte(text)))
	return fmt.Appendf(nil, `{"model_type": %q, "num_query_tokens": 4,
		"vision_config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 48, "patch_size": 12},
		"qformer_config": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4, "encoder_hidden_size": 32,
			"vocab_size": %d, "max_position_embeddings": 16},
		"text_config": %s}`, kind, read, text)
}

// familyNetwork draws a small network of a family.
func familyNetwork(t *testing.T, kind, language string, vocabulary int) *model.Blip2 {
	t.Helper()
	c, err := model.ParseConfig(familyConfig(t, kind, language, vocabulary, 85))
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	t.Cleanup(m.Store().Free)
	require.NoError(t, m.Store().Init(5, torch.CPU))
	return m
}

// familyTeacher writes a network of a family with the vocabulary of "ads"; LLaMA's in bfloat16.
func familyTeacher(t *testing.T, kind, language string) string {
	t.Helper()
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 1, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	var m model.Network = familyNetwork(t, kind, language, set.Tokenizer.Size())
	if language == "llama" {
		m, err = model.Convert(m, torch.BFloat16, torch.CPU)
		require.NoError(t, err)
		m.Config().DType = "bfloat16"
		defer m.Store().Free()
	}
	folder := filepath.Join(t.TempDir(), "teacher")
	require.NoError(t, m.Save(folder))
	require.NoError(t, model.AdsPreprocessor(48).Save(folder))
	require.NoError(t, set.Tokenizer.SaveTo(folder))
	return folder
}

var families = [][2]string{{"blip-2", "opt"}, {"blip-2", "t5"}, {"blip-2", "llama"}, {"instructblip", "t5"}, {"instructblip", "llama"}}

// Every family goes through the three stages with nothing but a TOML.
func TestEveryFamilyRuns(t *testing.T) {
	for _, f := range families {
		t.Run(f[0]+" "+f[1], func(t *testing.T) {
			torchtest.Setup(t)
			teacher := familyTeacher(t, f[0], f[1])
			a, b := strings.Index(tiny, "[teacher.train]"), strings.Index(tiny, "[[stage]]")
			text := tiny[:a] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + tiny[b:]
			text = strings.Replace(text, "keep = { vision = 1, language = 1 }", "keep = { vision = 1, qformer = 2, language = 1 }", 1)
			text = strings.Replace(text, `vision = { heads = 2, ffn = "50%" }, language`, `vision = { heads = 2, ffn = "50%" }, qformer = { heads = 3, ffn = "50%" }, language`, 1)
			out := filepath.Join(t.TempDir(), "run")
			cfg, err := config.Parse("family.toml", text, "output="+out, "export.format=transformers")
			require.NoError(t, err)
			var notes []string
			r, err := runWith(context.Background(), cfg, func(e event.Event) {
				if n, ok := e.(event.Note); ok {
					notes = append(notes, n.Text)
				}
			})
			require.NoError(t, err)
			assert.Contains(t, strings.Join(notes, "\n"), "export: qformer heads 3 → 2 and width 12 → 12", "the run says which sizes had to change")
			require.Len(t, r.Stages, 3)
			for _, s := range r.Stages {
				assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
			}
			assert.Greater(t, r.Ratio.Model, 2.)
			m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
			require.NoError(t, err)
			defer m.Store().Free()
			assert.Equal(t, int(r.Student.Parameters), m.Store().Count())
			trained, err := model.Load(keptAt(t, out, "hidden/distil 2"), torch.CPU)
			require.NoError(t, err)
			defer trained.Store().Free()
			for i, p := range m.Store().Params() {
				require.Equal(t, map[bool]torch.DType{true: torch.BFloat16, false: torch.Float32}[f[1] == "llama"], p.Value.DType(), "%s: as the teacher's", p.Name)
				require.Equal(t, torch.Float32, trained.Store().Params()[i].Value.DType(), "%s: trained in float32, whatever the teacher's weights are", p.Name)
			}
			hub, err := m.HubConfig()
			require.NoError(t, err, "transformers can say these sizes")
			assert.Equal(t, hub.QFormer.Hidden, m.Config().QFormer.Hidden, "and the file does")
		})
	}
}

// keptAt is the folder of a step's result within a run.
func keptAt(t *testing.T, run, at string) string {
	t.Helper()
	all, err := chain.List(run)
	require.NoError(t, err)
	for _, l := range all {
		if l.At == at {
			return l.Folder
		}
	}
	t.Fatalf("%s has no step %s", run, at)
	return ""
}
