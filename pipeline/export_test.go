package pipeline

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// The student of a teacher that is trained here goes to transformers: the same weights, with two rows before the table of
// positions, and figures that are those of the files.
func TestExportOfATrainedTeacher(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	students := map[string]*model.Blip2{}
	for _, format := range []string{"espalier", "transformers"} {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		out := filepath.Join(t.TempDir(), "run")
		cfg, err := config.Parse("small.toml", smallRun, "data.root="+root, "output="+out, "export.format="+format)
		require.NoError(t, err)
		notes := ""
		r, err := runWith(context.Background(), cfg, func(e event.Event) {
			if n, ok := e.(event.Note); ok {
				notes += n.Text
			}
		})
		require.NoError(t, err)
		m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
		require.NoError(t, err)
		defer m.Store().Free()
		students[format] = m
		assert.Equal(t, m.Store().Count(), int(r.Student.Parameters), "what is reported is what is written")
		assert.Equal(t, format == "transformers", strings.Contains(notes, "two rows of zeros in front, as transformers' OPT has them: 16 parameters more"))
		checkCard(t, filepath.Join(out, "student"), r, format == "transformers")
		if format == "transformers" {
			_, err = m.HubConfig()
			require.NoError(t, err)
			assert.FileExists(t, filepath.Join(out, "student", "tokenizer_config.json"))
		}
	}
	own, hub := students["espalier"].Store(), students["transformers"].Store()
	for _, p := range own.Params() {
		got := hub.Param(p.Name).T()
		if strings.HasSuffix(p.Name, "embed_positions.weight") {
			assert.Zero(t, got.Slice(0, 0, 2).Abs().Sum().Item())
			got = got.Slice(0, 2, got.Size(0))
		}
		assert.Equal(t, torch.Values[float32](p.T()), torch.Values[float32](got), p.Name)
	}
}
