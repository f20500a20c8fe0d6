package pipeline

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A whole run on a GPU and on the test device, in both precisions: it ends with the same bytes when it is made again, and
// its student loads anywhere.
func TestRunOnDevices(t *testing.T) {
	for device, there := range map[string]bool{"test": torchtest.TestDevice(), "cuda:0": torch.CUDADevices() > 0} {
		t.Run(device, func(t *testing.T) {
			if !there {
				t.Skip("NO DEVICE " + device + ": not tested on it")
			}
			runsOn(t, device)
		})
	}
}

func runsOn(t *testing.T, device string) {
	for _, precision := range []string{"fp32", "bf16"} {
		t.Run(precision, func(t *testing.T) {
			torchtest.Setup(t)
			var outs []string
			for range 2 {
				out := filepath.Join(t.TempDir(), "run")
				r, err := runWith(context.Background(), tinyConfig(t, out, "device="+device, "precision="+precision), nil)
				require.NoError(t, err)
				assert.Equal(t, device, r.Versions["device"])
				for _, s := range r.Stages {
					assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
				}
				outs = append(outs, out)
			}
			assert.Equal(t, student(t, outs[0]), student(t, outs[1]))
			m, err := model.Load(filepath.Join(outs[0], "student"), torch.CPU)
			require.NoError(t, err)
			m.Store().Free()
		})
	}
}
