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
	"espalier/pipeline/event"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// Every family goes through the three stages with nothing but a TOML.
func TestEveryFamilyRuns(t *testing.T) {
	for _, f := range runtest.Families {
		t.Run(f[0]+" "+f[1], func(t *testing.T) {
			torchtest.Setup(t)
			teacher := runtest.Teacher(t, f[0], f[1])
			a, b := strings.Index(runtest.Tiny, "[teacher.train]"), strings.Index(runtest.Tiny, "[[stage]]")
			text := runtest.Tiny[:a] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + runtest.Tiny[b:]
			text = strings.Replace(text, "keep = { vision = 1, language = 1 }", "keep = { vision = 1, qformer = 2, language = 1 }", 1)
			text = strings.Replace(text, `vision = { heads = 2, ffn = "50%" }, language`, `vision = { heads = 2, ffn = "50%" }, qformer = { heads = 3, ffn = "50%" }, language`, 1)
			out := filepath.Join(t.TempDir(), "run")
			cfg, err := config.Parse("family.toml", text, "output="+out, "export.format=transformers")
			require.NoError(t, err)
			var notes []string
			r, err := pipeline.Run(context.Background(), cfg, pipeline.Options{Events: func(e event.Event) {
				if n, ok := e.(event.Note); ok {
					notes = append(notes, n.Text)
				}
			}})
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
			trained, err := model.Load(runtest.KeptAt(t, out, "hidden/distil 2"), torch.CPU)
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
