//go:build cgotorch

package gotorch_test

import (
	"encoding/gob"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	theirs "github.com/wangkuiyi/gotorch"
	theirnn "github.com/wangkuiyi/gotorch/nn"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/gotorch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// twoModule is a module of gotorch's: a list of layers, a norm with buffers, a layer without bias.
type twoModule struct {
	theirnn.Module
	Layers []*theirnn.LinearModule
	Conv   *theirnn.Conv2dModule
	Norm   *theirnn.BatchNorm2dModule
}

func two(hidden int64) *twoModule {
	m := &twoModule{Layers: []*theirnn.LinearModule{theirnn.Linear(3, hidden, true), theirnn.Linear(hidden, 2, false)},
		Conv: theirnn.Conv2d(2, 4, 3, 1, 1, 1, 1, true, "zeros"), Norm: theirnn.BatchNorm2d(4, 1e-5, .1, true, true)}
	m.Init(m)
	return m
}

func declare(hidden int) func(b *nn.Builder) {
	return func(b *nn.Builder) {
		b = b.Sub("twoModule")
		h, c := b.Axis("hidden", nn.FFN, hidden), b.Axis("channels", nn.Channels, 4)
		gotorch.Linear(b, "Layers[0]", h.Dim(), nn.Fixed(3), true)
		gotorch.Linear(b, "Layers[1]", nn.Fixed(2), h.Dim(), false)
		gotorch.Conv2d(b, "Conv", c.Dim(), nn.Fixed(2), 3, true)
		gotorch.BatchNorm2d(b, "Norm", c.Dim())
	}
}

func TestAdoptShares(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := two(5)
		x := theirs.RandN([]int64{4, 3}, false)
		forward := func() theirs.Tensor { return m.Layers[1].Forward(m.Layers[0].Forward(x)) }
		forward().Sum().Backward() // leaves gradients
		s, err := gotorch.Adopt(m, declare(5))
		require.NoError(t, err)
		defer s.Free()
		require.Len(t, s.Params(), len(m.StateDict()))
		for name, theirTensor := range m.StateDict() {
			ours := s.Param(name).T()
			require.Equal(t, gotorch.From(theirTensor).DataPointer(), ours.DataPointer(), name)
			require.Nil(t, ours.Grad(), "%s: training's gradient is dropped", name)
			require.Equal(t, s.Param(name).Buffer, !ours.RequiresGrad(), name)
		}
		weight := s.Param("twoModule.Layers[0].Weight").T()
		torch.NoGrad(func() {
			weight.Fill(2)
			require.Equal(t, float32(2), m.Layers[0].Weight.Index(4, 2).Item())
			m.Layers[0].Weight.MulI(theirs.Full([]int64{1}, 3, false))
		})
		require.Equal(t, 6., weight.AMax().Item())
		gotorch.From(forward()).Sum().Backward() // a graph of gotorch's forward
		torchtest.Close(t, gotorch.From(m.Layers[0].Weight.Grad()), weight.Grad())
		require.NotZero(t, weight.Grad().Abs().AMax().Item())

		m.To(theirs.NewDevice("cpu"), theirs.Double) // SetData: the tensors stay the same ones
		require.Equal(t, torch.Float64, weight.DType())
	})
}

func TestAdoptNamesWhatDoesNotFit(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		_, err := gotorch.Adopt(two(5), func(b *nn.Builder) {
			declare(6)(b)
			b.Param("twoModule.Extra", nn.Zeros, nn.Fixed(1))
		})
		require.ErrorContains(t, err, "gotorch: adopt gotorch_test.twoModule: declare what its StateDict holds")
		require.ErrorContains(t, err, "missing twoModule.Extra [1]")
		require.ErrorContains(t, err, "twoModule.Layers[0].Weight has shape [5 3], the network needs [6 3]")
		_, err = gotorch.Adopt(two(5), func(b *nn.Builder) { gotorch.Linear(b, "FC", nn.Fixed(1), nn.Fixed(1), false) })
		require.ErrorContains(t, err, "unexpected twoModule.Norm.Bias [4]\n  and 3 more")
	})
}

func TestFill(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		s, err := nn.Declare(nil, declare(5))
		require.NoError(t, err)
		defer s.Free()
		require.NoError(t, s.Init(1, torch.CPU))
		require.ErrorContains(t, gotorch.Fill(two(6), s), "twoModule.Layers[1].Weight has shape [2 6], the network needs [2 5]")
		m := two(5)
		require.NoError(t, gotorch.Fill(m, s))
		for name, v := range m.StateDict() {
			require.Equal(t, s.Param(name).T().DataPointer(), gotorch.From(v).DataPointer(), name)
			require.Equal(t, !s.Param(name).Buffer, gotorch.From(v).RequiresGrad(), name)
		}
		before := s.Param("twoModule.Layers[0].Weight").T().Clone()
		optimizer := theirs.SGD(.1, 0, 0, 0, false) // its Close would free what its finalizer frees again
		optimizer.AddParameters(m.Parameters())
		loss := m.Layers[1].Forward(m.Layers[0].Forward(theirs.RandN([]int64{4, 3}, false))).Sum()
		loss.Backward()
		optimizer.Step()
		require.NotEqual(t, before.Raw(), s.Param("twoModule.Layers[0].Weight").T().Raw(), "gotorch trains what the store holds")
	})
}

// gotorch's own loader must read what WriteGob wrote, to the last bit.
func TestGotorchReadsOurGob(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := two(5)
		s, err := gotorch.Adopt(m, declare(5))
		require.NoError(t, err)
		defer s.Free()
		tensors := s.Named()
		path := filepath.Join(t.TempDir(), "x.gob")
		require.NoError(t, checkpoint.WriteGob(path, tensors))
		loaded := decode(t, path)
		require.Len(t, loaded, len(tensors))
		for name, want := range tensors {
			got := gotorch.From(loaded[name])
			require.Equal(t, want.Shape(), got.Shape(), name)
			require.Equal(t, want.Raw(), got.Raw(), name)
			require.Equal(t, want.RequiresGrad(), got.RequiresGrad(), name)
		}
		again := two(5)
		require.NoError(t, again.SetStateDict(loaded))
		require.True(t, theirs.Equal(m.Conv.Weight, again.Conv.Weight))

		others := map[string]*torch.Tensor{"scalar": torch.Full(nil, 3, torch.Float64, torch.CPU), "empty": torch.Zeros([]int{0, 4}, torch.Float32, torch.CPU),
			"transposed": torch.From([]int32{1, 2, 3, 4, 5, 6}, torch.CPU, 2, 3).Transpose(0, 1), "large": torch.Ones([]int{300, 1000}, torch.Float32, torch.CPU)}
		for _, d := range []torch.DType{torch.Uint8, torch.Int8, torch.Int16, torch.Int64, torch.Float16, torch.Bool, torch.BFloat16} {
			others[d.String()] = torch.From([]int64{0, 1, 2, 100}, torch.CPU).To(d)
		}
		require.NoError(t, checkpoint.WriteGob(path, others))
		for name, got := range decode(t, path) {
			require.Equal(t, others[name].DType(), gotorch.From(got).DType(), name)
			require.Equal(t, others[name].Shape(), gotorch.From(got).Shape(), name)
			require.Equal(t, others[name].Raw(), gotorch.From(got).Raw(), name)
		}
	})
}

// decode reads a checkpoint as gotorch's examples do.
func decode(t *testing.T, path string) map[string]theirs.Tensor {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	out := map[string]theirs.Tensor{}
	require.NoError(t, gob.NewDecoder(f).Decode(&out))
	return out
}
