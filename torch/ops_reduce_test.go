package torch_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestReductions(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{2, 3}, 1, 5, 3, 4, 2, 6)
		// log(e^x + e^x + e^x) = x + log 3, also where e^x overflows
		large := floats(on, []int{1, 3}, 1000, 1000, 1000)
		checkOps(t, on, []opCase{
			{"Sum", a.Sum(), f32, nil, list(21)},
			{"Sum of rows", a.Sum(1), f32, []int{2}, list(9, 12)},
			{"Sum of two", a.Unsqueeze(0).Sum(0, 2), f32, []int{2}, list(9, 12)},
			{"SumKeep", a.SumKeep(0), f32, []int{1, 3}, list(5, 7, 9)},
			{"Mean", a.Mean(), f32, nil, list(3.5)},
			{"Mean of columns", a.Mean(0), f32, []int{3}, list(2.5, 3.5, 4.5)},
			{"MeanKeep", a.MeanKeep(-1), f32, []int{2, 1}, list(3, 4)},
			{"AMax", a.AMax(), f32, nil, list(6)},
			{"AMax of rows", a.AMax(1), f32, []int{2}, list(5, 6)},
			{"ArgMax", a.ArgMax(1), i64, []int{2}, list(1, 2)},
			{"ArgMax of equals", large.ArgMax(-1), i64, []int{1}, list(0)},
			{"LogSumExp", large.LogSumExp(1), f32, []int{1}, list(1000 + math.Log(3))},
			{"CumSum", a.CumSum(1), f32, []int{2, 3}, list(1, 6, 9, 4, 6, 12)},
		})
	})
}

func TestAllAny(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		none, some, every := torch.From([]bool{false, false}, on), torch.From([]bool{false, true}, on), torch.From([]bool{true, true}, on)
		checkOps(t, on, []opCase{
			{"All of none", none.All(), yes, nil, list(0)},
			{"All of some", some.All(), yes, nil, list(0)},
			{"All of every", every.All(), yes, nil, list(1)},
			{"Any of none", none.Any(), yes, nil, list(0)},
			{"Any of some", some.Any(), yes, nil, list(1)},
			{"Any of every", every.Any(), yes, nil, list(1)},
		})
	})
}

func TestTopK(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		values, indices := floats(on, []int{2, 3}, 1, 5, 3, 4, 2, 6).TopK(2, 1)
		torchtest.Values(t, values, []int{2, 2}, 5, 3, 6, 4)
		torchtest.Values(t, indices, []int{2, 2}, 1, 2, 2, 0)
		require.Equal(t, torch.Int64, indices.DType())
		requireError(t, torch.KindRuntime, "k out of range", func() { values.TopK(3, 1) })
	})
}
