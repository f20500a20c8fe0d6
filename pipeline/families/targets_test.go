package families

import (
	"context"
	"fmt"
	"path/filepath"
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

const aimedStages = `
[target]
%s
divisions = 2
[[stage]]
name = "blocks"
alpha = 1.0
candidates = ["cosine"]
candidate_steps = 1
[stage.distil]
steps = 6
batch = 4
[[stage]]
name = "inner"
alpha = 1.0
candidates = ["magnitude"]
candidate_steps = 1
[stage.distil]
steps = 6
batch = 4
[[stage]]
name = "hidden"
alpha = 1.0
candidates = []
[stage.distil]
steps = 6
batch = 4
[eval]
latency_runs = 2
latency_warmup = 1
throughput_batch = 2
batch = 4
`

// Targets, divisions and candidates with each family and with weights in half precision: the student has the size that was asked
// for, is proved, and is written in its teacher's dtypes.
func TestTargetsOfEveryFamily(t *testing.T) {
	head := strings.NewReplacer("train = 48", "train = 8", "= 12\n", "= 4\n", "pictures = 16", "pictures = 8", "batch = 8", "batch = 4").
		Replace(runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")])
	dtypes := []string{"float32", "float16", "bfloat16", "bfloat16 with a float32 wo and head"}
	for i, f := range runtest.Families {
		if i == 0 || i == 4 { // as OPT in other tests, and as both others here
			continue
		}
		dtype, target := dtypes[i%len(dtypes)], []string{"ratio = 1.7", "language_ratio = 2"}[i%2]
		t.Run(fmt.Sprintf("%s %s %s, %s", f[0], f[1], dtype, target), func(t *testing.T) {
			torchtest.Setup(t)
			out := filepath.Join(t.TempDir(), "run")
			text := head + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", mixedTeacher(t, f[0], f[1], mixtures[dtype])) + fmt.Sprintf(aimedStages, target)
			cfg, err := config.Parse("aimed.toml", text, "output="+out)
			require.NoError(t, err)
			r, err := pipeline.Run(context.Background(), cfg, pipeline.Options{})
			require.NoError(t, err)
			goal := r.Target
			require.NotNil(t, goal)
			assert.True(t, goal.Met(), goal.Line())
			assert.InEpsilon(t, goal.Want, goal.Got, .1, "a tiny network has few sizes")
			assert.GreaterOrEqual(t, goal.Got, goal.Want)
			assert.Len(t, goal.Divisions, 2)
			for _, s := range r.Stages {
				assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
			}
			m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
			require.NoError(t, err)
			defer m.Store().Free()
			assert.Equal(t, r.Student.Parameters, int64(m.Store().Count()))
			for _, p := range m.Store().Params() {
				assert.Equal(t, mixtures[dtype](p.Name), p.T().DType(), p.Name)
			}
		})
	}
}
