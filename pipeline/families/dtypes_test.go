package families

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// mixtures are the dtypes that checkpoints come in, by a parameter's name.
var mixtures = map[string]func(name string) torch.DType{
	"float32":  func(string) torch.DType { return torch.Float32 },
	"float16":  func(string) torch.DType { return torch.Float16 },
	"bfloat16": func(string) torch.DType { return torch.BFloat16 },
	"float64":  func(string) torch.DType { return torch.Float64 },
	"float16 around a float32 Q-Former": func(name string) torch.DType {
		if strings.HasPrefix(name, "qformer.") || name == "query_tokens" {
			return torch.Float32
		}
		return torch.Float16
	},
	// transformers keeps the last matrix of each T5 block, and others keep the output head.
	"bfloat16 with a float32 wo and head": func(name string) torch.DType {
		if strings.HasSuffix(name, ".wo.weight") || strings.HasSuffix(name, "lm_head.weight") {
			return torch.Float32
		}
		return torch.BFloat16
	},
	// Hardly any program writes these; they are computed all the same.
	"float16 matrices, float32 vectors": func(name string) torch.DType {
		if strings.HasSuffix(name, ".bias") || strings.Contains(strings.ToLower(name), "norm") {
			return torch.Float32
		}
		return torch.Float16
	},
	"bfloat16 vision, float64 Q-Former, float16 beside": func(name string) torch.DType {
		switch {
		case strings.HasPrefix(name, "vision_model."):
			return torch.BFloat16
		case strings.HasPrefix(name, "qformer."):
			return torch.Float64
		}
		return torch.Float16
	},
	"float64 embeddings around bfloat16": func(name string) torch.DType {
		if strings.Contains(name, "embed") || strings.Contains(name, "shared") {
			return torch.Float64
		}
		return torch.BFloat16
	},
}

// width is that of a small language model. The vocabulary of "ads" is wider than four times the half of it, so that hidden states are kept.
var width = regexp.MustCompile(`"(hidden_size|d_model)": 32`)

func narrow(text string) string { return width.ReplaceAllString(text, `"$1": 16`) }

// mixedTeacher writes a small network of a family in some mixture of dtypes.
func mixedTeacher(t *testing.T, kind, language string, dtype func(string) torch.DType) string {
	t.Helper()
	m := runtest.Network(t, kind, language, runtest.Ads(t).Tokenizer.Size(), narrow)
	dtypes := model.DtypesOf(m)
	for _, p := range m.Store().Params() {
		dtypes[model.DtypeKey(p.Name)] = dtype(p.Name)
	}
	stored, err := model.Stored(m, dtypes)
	require.NoError(t, err)
	defer stored.Store().Free()
	return runtest.Save(t, stored)
}

const dtypeStages = `
[[stage]]
name = "inner"
criterion = %q
loss = "margin"
keep = { vision = "50%%", qformer = "50%%", language = "50%%" }
alpha = 1.0
[stage.distil]
steps = 2
batch = 4
lr = 1e-3
`

// Whatever dtypes a checkpoint has, a run with distillation ends, and the student has the dtypes of its teacher. Each mixture goes
// through one family or two.
func TestEveryDtypeRuns(t *testing.T) {
	head := strings.NewReplacer("train = 48", "train = 8", "= 12\n", "= 4\n", "pictures = 16", "pictures = 8", "batch = 8", "batch = 4").
		Replace(runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")])
	for at, f := range runtest.Families {
		for i, name := range []string{"float32", "float16", "bfloat16", "float64", "float16 around a float32 Q-Former", "bfloat16 with a float32 wo and head",
			"float16 matrices, float32 vectors", "bfloat16 vision, float64 Q-Former, float16 beside", "float64 embeddings around bfloat16"} {
			if (at+i)%runtest.Sample(3) > 0 {
				continue
			}
			t.Run(f[0]+" "+f[1]+" "+name, func(t *testing.T) {
				torchtest.Setup(t)
				teacher := mixedTeacher(t, f[0], f[1], mixtures[name])
				criterion := []string{"gradient", "taylor-sample"}[i%2]
				text := head + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + fmt.Sprintf(dtypeStages, criterion) +
					"[eval]\nlatency_runs = 2\nlatency_warmup = 1\nthroughput_batch = 2\nbatch = 4\n"
				out := filepath.Join(t.TempDir(), "run")
				cfg, err := config.Parse("dtypes.toml", text, "output="+out, fmt.Sprintf("precision=%s", []string{"fp32", "bf16"}[(i/2)%2]), fmt.Sprintf("recompute=%v", i > 2))
				require.NoError(t, err)
				r, err := pipeline.Run(context.Background(), cfg, pipeline.Options{})
				require.NoError(t, err)
				m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
				require.NoError(t, err)
				defer m.Store().Free()
				for _, p := range m.Store().Params() {
					assert.Equal(t, mixtures[name](p.Name), p.T().DType(), p.Name)
				}
				assert.Equal(t, int64(m.Store().Bytes()), r.Student.Bytes, "what was measured is what was written")
			})
		}
	}
}

func TestExportDtype(t *testing.T) {
	torchtest.Setup(t)
	teacher := mixedTeacher(t, "blip-2", "opt", mixtures["float32"])
	head := runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + fmt.Sprintf(dtypeStages, "random")
	for _, want := range []torch.DType{torch.Float16, torch.BFloat16, torch.Float32, torch.Float64} {
		out := filepath.Join(t.TempDir(), "run")
		cfg, err := config.Parse("dtypes.toml", head, "output="+out, "export.dtype="+want.String(), "eval.latency_runs=1")
		require.NoError(t, err)
		_, err = pipeline.Run(context.Background(), cfg, pipeline.Options{})
		require.NoError(t, err)
		m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
		require.NoError(t, err)
		for _, p := range m.Store().Params() {
			assert.Equal(t, want, p.T().DType(), p.Name)
		}
		m.Store().Free()
	}
}

// Under bfloat16's autocast, frozen weights in any dtype meet trained ones in float32, and are written as they were.
func TestFrozenDtypesUnderBFloat16(t *testing.T) {
	torchtest.Setup(t)
	head := strings.NewReplacer("train = 48", "train = 8", "= 12\n", "= 4\n", "pictures = 16", "pictures = 8", "batch = 8", "batch = 4").
		Replace(runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")])
	freezes := [][]string{{"vision"}, {"qformer"}, {"language"}, {"vision", "embeddings"}, {"qformer", "embeddings"}}
	for i, f := range runtest.Families {
		for j, name := range []string{"float16", "float64"} {
			if (i+j)%runtest.Sample(2) > 0 {
				continue
			}
			teacher := mixedTeacher(t, f[0], f[1], mixtures[name])
			out := filepath.Join(t.TempDir(), "run")
			text := head + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + fmt.Sprintf(dtypeStages, "random") +
				fmt.Sprintf("precision = \"bf16\"\nfreeze = [%q]\n", strings.Join(freezes[(i+(i+j)%2)%len(freezes)], `", "`))
			cfg, err := config.Parse("dtypes.toml", strings.ReplaceAll(text, `\"`, `"`), "output="+out, "eval.latency_runs=1", fmt.Sprintf("recompute=%v", i > 2))
			require.NoError(t, err)
			_, err = pipeline.Run(context.Background(), cfg, pipeline.Options{})
			require.NoError(t, err, "%s %s %s", f[0], f[1], name)
			m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
			require.NoError(t, err)
			for _, p := range m.Store().Params() {
				assert.Equal(t, mixtures[name](p.Name), p.T().DType(), p.Name)
			}
			m.Store().Free()
		}
	}
}

// A student of int8 is measured as it is written, and read back as it was measured.
func TestExportInt8(t *testing.T) {
	torchtest.Setup(t)
	teacher := mixedTeacher(t, "blip-2", "opt", mixtures["float32"])
	head := runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + fmt.Sprintf(dtypeStages, "random")
	bytes := map[string]int64{}
	for _, dtype := range []string{"float32", "int8"} {
		out := filepath.Join(t.TempDir(), "run")
		cfg, err := config.Parse("dtypes.toml", head, "output="+out, "export.dtype="+dtype, "eval.latency_runs=1")
		require.NoError(t, err)
		r, err := pipeline.Run(context.Background(), cfg, pipeline.Options{})
		require.NoError(t, err)
		m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
		require.NoError(t, err)
		assert.Equal(t, int64(m.Store().Bytes()), r.Student.Bytes)
		bytes[dtype] = r.Student.Bytes
		m.Store().Free()
		if dtype == "int8" {
			verified, err := pipeline.Verify(context.Background(), out, nil)
			require.NoError(t, err)
			for _, v := range verified {
				assert.Empty(t, v.Different, v.Name)
			}
		}
	}
	assert.Less(t, bytes["int8"], bytes["float32"]*2/5, "rows this narrow have many scales")
	cfg, err := config.Parse("dtypes.toml", head, "output="+filepath.Join(t.TempDir(), "run"), "export.dtype=int8", "export.format=transformers")
	require.NoError(t, err)
	_, err = pipeline.Run(context.Background(), cfg, pipeline.Options{})
	assert.ErrorContains(t, err, "transformers does not read these weights")
}
