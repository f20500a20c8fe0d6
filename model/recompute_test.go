package model_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// gradientsOf are those of a loss on the batch of Ask, for every parameter that is trained.
func gradientsOf(t *testing.T, m model.Network, recompute bool, frozen ...string) map[string]*torch.Tensor {
	out := map[string]*torch.Tensor{}
	m.Store().SetRequiresGrad(true, frozen...)
	defer m.Store().SetRequiresGrad(false)
	b, err := modeltest.Ask(m)()
	require.NoError(t, err)
	b = b.PicturesTo(torch.Float64)
	var logits *torch.Tensor
	forward := func() { logits = m.Logits(b) }
	if recompute {
		torch.Recompute(forward)
	} else {
		forward()
	}
	logits.To(torch.Float64).CrossEntropy(b.Targets).Backward()
	for _, p := range m.Store().Params() {
		if g := p.T().Grad(); g != nil {
			out[p.Name] = g
			p.T().SetGrad(nil)
		}
	}
	return out
}

// Blocks that are computed again give every parameter the gradient that it has without, whatever is frozen.
func TestRecomputedGradientsInEveryFamily(t *testing.T) {
	for _, name := range modeltest.Families {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			m, err := model.Convert(modeltest.Family(t, name), torch.Float64, torch.CPU)
			require.NoError(t, err)
			defer m.Store().Free()
			for _, frozen := range [][]string{nil, {"vision"}, {"vision", "embeddings"}, {"qformer", "language"}} {
				require.NoError(t, torch.Run(func(*torch.Scope) error {
					want, got := gradientsOf(t, m, false, frozen...), gradientsOf(t, m, true, frozen...)
					require.Len(t, got, len(want))
					for _, p := range m.Store().Params() {
						if !p.Trains(frozen...) {
							require.Nil(t, got[p.Name], p.Name)
						} else if want[p.Name] != nil {
							torchtest.Within(t, want[p.Name], got[p.Name], 1e-9, 1e-12, p.Name)
						}
					}
					return nil
				}))
			}
		})
	}
}

// What is frozen stays in halves, in the same memory, while the rest is trained in float32.
func TestFrozenHalvesAroundFloat32(t *testing.T) {
	for _, name := range modeltest.Families {
		for _, half := range []torch.DType{torch.Float16, torch.BFloat16} {
			t.Run(name+"/"+half.String(), func(t *testing.T) {
				torchtest.Setup(t)
				teacher, err := model.Convert(modeltest.Family(t, name), half, torch.CPU)
				require.NoError(t, err)
				defer teacher.Store().Free()
				exact, err := model.Convert(teacher, torch.Float64, torch.CPU)
				require.NoError(t, err)
				defer exact.Store().Free()
				for _, frozen := range [][]string{{"vision"}, {"embeddings"}, {"vision", "embeddings"}, {"qformer"}, {"language"}} {
					student, err := model.Share(teacher)
					require.NoError(t, err)
					require.NoError(t, student.Store().Own(torch.Float32, frozen...))
					for _, p := range student.Store().Params() {
						want := half
						if p.Trains(frozen...) {
							want = torch.Float32
						}
						require.Equal(t, want, p.T().DType(), p.Name)
					}
					require.NoError(t, torch.Run(func(*torch.Scope) error {
						require.LessOrEqual(t, errorOf(t, student, exact), 1.5*errorOf(t, teacher, exact), "fewer roundings than in halves alone")
						require.NotEmpty(t, gradients32(t, student, frozen...))
						return nil
					}))
					student.Store().Free()
				}
			})
		}
	}
}

// errorOf is the root mean square of what a network's logits differ from those of the same weights in float64.
func errorOf(t *testing.T, m, exact model.Network) (rms float64) {
	b, err := modeltest.Ask(m)()
	require.NoError(t, err)
	torch.NoGrad(func() {
		d := m.Logits(b).To(torch.Float64).Sub(exact.Logits(b.PicturesTo(torch.Float64)))
		rms = math.Sqrt(d.Mul(d).Mean().Item())
	})
	return rms
}

// gradients32 fails unless every trained parameter that the loss reaches has a finite float32 gradient.
func gradients32(t *testing.T, m model.Network, frozen ...string) (names []string) {
	m.Store().SetRequiresGrad(true, frozen...)
	defer m.Store().SetRequiresGrad(false)
	b, err := modeltest.Ask(m)()
	require.NoError(t, err)
	m.Logits(b).To(torch.Float32).CrossEntropy(b.Targets).Backward()
	for _, p := range m.Store().Params() {
		if g := p.T().Grad(); g != nil {
			require.Equal(t, torch.Float32, g.DType(), p.Name)
			require.NotZero(t, g.IsFinite().All().Item(), p.Name)
			names = append(names, p.Name)
			p.T().SetGrad(nil)
		}
	}
	return names
}
