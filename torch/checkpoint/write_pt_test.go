package checkpoint_test

import (
	"archive/zip"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// everyKind has each dtype, odd values, names and places in memory.
func everyKind(on torch.Device) map[string]*torch.Tensor {
	tensors := map[string]*torch.Tensor{
		"scalar":         torch.Full(nil, 3, torch.Float32, on),
		"empty":          torch.Zeros([]int{0, 4}, torch.Float32, on),
		"odd":            torch.From([]float64{math.Inf(1), math.Copysign(0, -1), math.SmallestNonzeroFloat64}, on),
		"transposed":     torch.From([]int32{1, 2, 3, 4, 5, 6}, on, 2, 3).Transpose(0, 1),
		`"näme"/<&>`:     torch.From([]uint8{7}, on),
		"layer.0.weight": torch.From([]float32{1, 2, 3}, on, 3, 1, 1),
	}
	for _, d := range allTypes {
		tensors[d.String()] = torch.From([]int64{0, 1, 2, 100, 1, 0}, on, 2, 3).To(d)
	}
	return tensors
}

// testdata/make_pt.py check compares what Python reads with the safetensors file beside; TO_CHECK keeps both.
func TestWritePT(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		tensors := everyKind(on)
		folder := t.TempDir()
		if to := os.Getenv("TO_CHECK"); to != "" {
			folder = to
			require.NoError(t, checkpoint.WriteSafeTensors(filepath.Join(folder, "x.safetensors"), tensors, nil))
		}
		path := filepath.Join(folder, "x.pt")
		require.NoError(t, checkpoint.WritePT(path, tensors))
		s, err := checkpoint.Open(path, "")
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, "PyTorch state dict (zip)", s.Format())
		requireSame(t, tensors, s)

		first, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, checkpoint.WritePT(path, tensors))
		second, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, first, second)
	})
}

func TestWritePTIsASoundArchive(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		path := filepath.Join(t.TempDir(), "x.pt")
		require.NoError(t, checkpoint.WritePT(path, everyKind(torch.CPU)))
		z, err := zip.OpenReader(path)
		require.NoError(t, err)
		defer z.Close()
		require.Len(t, z.File, 5+len(everyKind(torch.CPU)))
		for _, f := range z.File {
			require.Equal(t, zip.Store, f.Method)
			at, err := f.DataOffset()
			require.NoError(t, err)
			require.Zero(t, at%64, f.Name)
			r, err := f.Open()
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, r) // compares the checksum
			require.NoError(t, err)
			require.EqualValues(t, f.UncompressedSize64, n)
		}
	})
}

func TestWritePTErrors(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := torch.Ones([]int{1}, torch.Float32, torch.CPU)
		path := filepath.Join(t.TempDir(), "x.pt")
		require.NoError(t, checkpoint.WritePT(path, map[string]*torch.Tensor{"x": x}))
		old, err := os.ReadFile(path)
		require.NoError(t, err)
		freed := x.Clone()
		freed.Free()
		for message, tensors := range map[string]map[string]*torch.Tensor{
			"was freed": {"x": x, "y": freed}, "is nil": {"x": x, "y": nil}, `tensor "\xff"`: {"\xff": x},
		} {
			err := checkpoint.WritePT(path, tensors)
			require.ErrorContains(t, err, message)
			require.ErrorContains(t, err, path)
			requireOnly(t, path, string(old))
		}
	})
}
