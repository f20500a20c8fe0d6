package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// begun runs a job on a teacher until its first note, and gives that or what was at fault.
func begun(t *testing.T, teacher string) (note string, err error) {
	t.Helper()
	a, b := strings.Index(runtest.Tiny, "[teacher.train]"), strings.Index(runtest.Tiny, "[[stage]]")
	cfg, err := config.Parse("run.toml", runtest.Tiny[:a]+fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher)+runtest.Tiny[b:], "output="+filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	_, err = runWith(ctx, cfg, func(e event.Event) {
		if n, ok := e.(event.Note); ok && note == "" {
			note = n.Text
			stop()
		}
	})
	return note, err
}

// What is wrong with a teacher's folder is reported before anything is computed: as a note where it is taken, as the user's fault where
// it is not.
func TestTeachersFolder(t *testing.T) {
	torchtest.Setup(t)
	renamed := func(folder, from, to string) {
		file := filepath.Join(folder, checkpoint.SingleFile)
		values, err := checkpoint.ReadSafeTensors(file, torch.CPU)
		require.NoError(t, err)
		named := map[string]*torch.Tensor{}
		for name, v := range values {
			defer v.Free()
			named[strings.Replace(name, from, to, 1)] = v
		}
		require.NoError(t, checkpoint.WriteSafeTensors(file, named, nil))
	}
	preprocessor := func(folder, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "preprocessor_config.json"), []byte(text), 0o600))
	}
	wrapped := runtest.Teacher(t, "blip-2", "opt")
	renamed(wrapped, "", "_orig_mod.module.")
	note, err := begun(t, wrapped)
	require.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, note, `"_orig_mod.module." is taken off the tensors' names`)

	for want, change := range map[string]func(folder string){
		"these are LoRA layers":                          func(folder string) { renamed(folder, "q_proj.", "q_proj.base_layer.") },
		"makes pictures of 56 × 56, the network sees 48": func(folder string) { preprocessor(folder, `{"size": 56}`) },
		"do_center_crop":                                 func(folder string) { preprocessor(folder, `{"size": 56, "do_center_crop": true, "crop_size": 48}`) },
		"adapter_config.json": func(folder string) {
			require.NoError(t, os.WriteFile(filepath.Join(folder, "adapter_config.json"), []byte("{}"), 0o600))
		},
	} {
		folder := runtest.Teacher(t, "blip-2", "opt")
		change(folder)
		note, err := begun(t, folder)
		var input *fault.InputError
		require.ErrorAs(t, err, &input, want)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, folder)
		assert.Empty(t, note)
	}
}
