package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// "auto" is settled before anything is computed or kept, so that the report and the fingerprints have what was computed in.
func TestPrecisionIsSettledFirst(t *testing.T) {
	torchtest.Setup(t)
	cfg, err := tinyConfig(t, filepath.Join(t.TempDir(), "run"), "teacher.train.precision=auto").Resolve()
	require.NoError(t, err)
	r, err := open(cfg, Options{apart: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.chain.Close()) }()
	want := precisionOf(torch.CPU)
	assert.Contains(t, []string{"fp32", "bf16"}, want)
	assert.Equal(t, want, r.cfg.Teacher.Train.Precision)
	train := r.resolved["teacher"].(map[string]any)["train"].(map[string]any)
	assert.Equal(t, want, train["precision"])
}
