package torch_test

import (
	"testing"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestIndexing(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{2, 3}, 1, 2, 3, 4, 5, 6)
		s := []int{2, 3}
		mask := torch.From([]bool{true, false, false, false, true, true}, on, 2, 3)
		column := torch.From([]int64{2, 0}, on, 2, 1)
		checkOps(t, on, []opCase{
			{"IndexSelect", a.IndexSelect(1, torch.FromInts([]int{2, 0, 2}, on)), f32, s, list(3, 1, 3, 6, 4, 6)},
			{"Gather", a.Gather(1, column), f32, []int{2, 1}, list(3, 4)},
			{"Scatter", a.Scatter(1, column, -1), f32, s, list(1, 2, -1, -1, 5, 6)},
			{"IndexCopy", a.IndexCopy(1, torch.FromInts([]int{2, 0}, on), floats(on, []int{2, 2}, 10, 20, 30, 40)), f32, s,
				list(20, 2, 10, 40, 5, 30)},
			{"MaskedFill", a.MaskedFill(mask, 9), f32, s, list(9, 2, 3, 4, 9, 9)},
			{"MaskedScatter", a.MaskedScatter(mask, floats(on, []int{3}, 7, 8, 9)), f32, s, list(7, 2, 3, 4, 8, 9)},
			{"Where", torch.Where(mask, a, a.Neg()), f32, s, list(1, -2, -3, -4, 5, 6)},
		})
		torchtest.Values(t, a, s, 1, 2, 3, 4, 5, 6) // none of them works in place
	})
}

func TestIndexErrors(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) { // on a GPU, an index out of range is not an error but the end of the process
		a := floats(torch.CPU, []int{2, 3}, 1, 2, 3, 4, 5, 6)
		requireError(t, torch.KindRuntime, "out of DATA bounds", func() { a.IndexSelect(1, torch.FromInts([]int{3}, torch.CPU)) })
		requireError(t, torch.KindIndex, "Dimension out of range", func() { a.IndexSelect(2, torch.FromInts([]int{0}, torch.CPU)) })
		requireError(t, torch.KindRuntime, "", func() { a.Gather(1, floats(torch.CPU, []int{1, 1}, 0)) })
	})
}
