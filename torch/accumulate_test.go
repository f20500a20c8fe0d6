package torch_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

var folds = map[torch.Fold]func(g, w float64) float64{
	torch.FoldGradAbs:   func(g, w float64) float64 { return math.Abs(g) },
	torch.FoldTaylorAbs: func(g, w float64) float64 { return math.Abs(g * w) },
	torch.FoldTaylor:    func(g, w float64) float64 { return g * w },
}

// folded is what an accumulator should hold for a dimension, computed plainly. Row-major values of g and w.
func folded(fold torch.Fold, shape []int, dim int, g, w []float64) []float64 {
	if len(shape) == 0 {
		return []float64{folds[fold](g[0], w[0])}
	}
	stride := 1
	for _, n := range shape[dim+1:] {
		stride *= n
	}
	sums := make([]float64, shape[dim])
	for i := range g {
		sums[i/stride%shape[dim]] += folds[fold](g[i], w[i])
	}
	return sums
}

func TestAccumulateGrad(t *testing.T) {
	shapes := [][]int{{}, {5}, {3, 4}, {2, 3, 2, 2}, {300, 400}, {70_001}, {1, 70_001}, {0, 3}} // a chunk has 65,536 elements
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		g := torch.NewGenerator(5)
		for _, shape := range shapes {
			for fold := range folds {
				t.Run(fmt.Sprint(shape, fold), func(t *testing.T) {
					w := g.Randn(shape...).ToDevice(on).SetRequiresGrad(true)
					x := g.Randn(shape...).ToDevice(on)
					loss := func() *torch.Tensor { return w.Mul(x).Add(w.Mul(w)).Sum() } // gradient x + 2w
					loss().Backward()
					grad, values := w.Grad().Floats(), w.Floats()
					w.SetGrad(nil)

					a := torch.AccumulateGrad(w, fold)
					defer a.Close()
					for round := 1; round <= 2; round++ {
						for range round { // several backwards add up, Take starts again
							loss().Backward()
							require.Nil(t, w.Grad())
						}
						for dim := range max(1, len(shape)) {
							want := folded(fold, shape, dim, grad, values)
							for i := range want {
								want[i] *= float64(round)
							}
							got := a.Take(dim)
							require.Equal(t, torch.Float64, got.DType())
							torchtest.Within(t, torch.From(want, torch.CPU, len(want)), got, 1e-5, 1e-4)
							require.Zero(t, a.Take(dim).Abs().Sum().Item())
						}
					}
				})
			}
		}
	})
}

func TestAccumulateTied(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		w := leaf(on, []int{2}, 1, -1)
		a := torch.AccumulateGrad(w, torch.FoldGradAbs)
		defer a.Close()
		// Used twice with gradients 3 and -1 on each element: |3 - 1| = 2, where |3| + |-1| would be 4.
		w.MulScalar(3).Add(w.Neg()).Sum().Backward()
		torchtest.Values(t, a.Take(0), []int{2}, 2, 2)
		w.To(torch.Float32).Sum().Backward() // another handle is the same leaf
		torchtest.Values(t, a.Take(0), []int{2}, 1, 1)
	})
}

// The fold reads the weights as they are in each backward, not as they were.
func TestAccumulateFollowsTheWeights(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		w := leaf(on, []int{2}, 1, 2)
		a := torch.AccumulateGrad(w, torch.FoldTaylor)
		defer a.Close()
		torch.NoGrad(func() { w.Fill(10) })
		w.Sum().Backward()
		torchtest.Values(t, a.Take(0), []int{2}, 10, 10)
	})
}

func TestAccumulateHalves(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		// 4,097 elements of gradient 1: bfloat16 has 4,096 and then 4,128.
		w := torch.Ones([]int{1, 4097}, torch.BFloat16, on).SetRequiresGrad(true)
		a := torch.AccumulateGrad(w, torch.FoldTaylorAbs)
		defer a.Close()
		w.Sum().Backward()
		torchtest.Values(t, a.Take(0), []int{1}, 4097)
	})
}

func TestAccumulateClose(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		w := leaf(on, []int{2}, 1, 2)
		a := torch.AccumulateGrad(w, torch.FoldGradAbs)
		requireError(t, torch.KindRuntime, "folded already", func() { torch.AccumulateGrad(w, torch.FoldTaylor) })
		requireError(t, torch.KindIndex, "no dimension 1 among 1", func() { a.Take(1) })
		requireError(t, torch.KindIndex, "no dimension -1", func() { a.Take(-1) })
		a.Close()
		a.Close() // does nothing
		requireError(t, torch.KindMisuse, "closed", func() { a.Take(0) })
		w.Sum().Backward()
		torchtest.Values(t, w.Grad(), []int{2}, 1, 1)
		requireError(t, torch.KindRuntime, "drop it first", func() { torch.AccumulateGrad(w, torch.FoldGradAbs) })
		w.SetGrad(nil)
		torch.AccumulateGrad(w, torch.FoldGradAbs).Close()
	})
}

func TestAccumulateOutlivesTheLeaf(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		w := leaf(on, []int{2}, 1, 2)
		a := torch.AccumulateGrad(w, torch.FoldGradAbs)
		w.Sum().Backward()
		w.Free()
		torchtest.Values(t, a.Take(0), []int{2}, 1, 1)
		a.Close()
	})
}

func TestAccumulateErrors(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		w := leaf(torch.CPU, []int{2}, 1, 2)
		requireError(t, torch.KindRuntime, "only a leaf", func() { torch.AccumulateGrad(w.MulScalar(2), torch.FoldTaylor) })
		requireError(t, torch.KindRuntime, "only a leaf", func() { torch.AccumulateGrad(w.Detach(), torch.FoldTaylor) })
		requireError(t, torch.KindMisuse, "is nil", func() { torch.AccumulateGrad(nil, torch.FoldTaylor) })
	})
}
