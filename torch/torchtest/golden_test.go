package torchtest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
)

func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "golden.safetensors")
	Run(t, func(*torch.Scope) {
		x := torch.From([]float32{1, 2}, torch.CPU)
		require.NoError(t, checkpoint.WriteSafeTensors(path, map[string]*torch.Tensor{"x": x}, nil))
		Close(t, x, Golden(t, path)["x"])
		require.True(t, fails(t, func(t testing.TB) { Golden(t, path+".missing") }))
	})
}
