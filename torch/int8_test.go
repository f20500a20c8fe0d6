package torch_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestInt8Rows(t *testing.T) {
	for _, c := range []struct {
		shape []int
		rows  int
	}{{[]int{40, 24}, 40}, {[]int{8, 3, 4, 4}, 8}, {[]int{1, 6, 24}, 6}, {[]int{1, 1, 24}, 0}, {[]int{24}, 0}, {nil, 0}, {[]int{32, 3}, 0}, {[]int{0, 8}, 0}} {
		assert.Equal(t, c.rows, torch.Int8Rows(c.shape), c.shape)
	}
}

// Each value is within half a step of its row's; what was read back gives the same integers and scales, bit for bit.
func TestInt8(t *testing.T) {
	torchtest.Setup(t)
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		v := torch.Values[float32](torch.NewGenerator(3).Randn(50, 24))
		for i := range v[:24] {
			v[i] = 0
			v[24+i] *= 1e-36 // below what is told apart from nothing
			v[48+i] *= 1e37
			v[72+i] *= 1e-20
		}
		whole, scales := torch.From(v, torch.CPU, 50, 24).ToInt8()
		q, by := torch.Values[int8](whole), torch.Values[float32](scales)
		back := torch.FromInt8(whole, scales, torch.CPU)
		for i, x := range torch.Values[float32](back) {
			require.InDelta(t, v[i], x, .5001*float64(by[i/24])+1e-30, "%d", i)
			require.Equal(t, float64(q[i])*float64(by[i/24]), float64(x), "exact")
		}
		again, scalesAgain := back.ToInt8()
		assert.Equal(t, q, torch.Values[int8](again))
		assert.Equal(t, by, torch.Values[float32](scalesAgain))
		for r := range 50 {
			largest := 0
			for _, x := range q[r*24 : (r+1)*24] {
				largest = max(largest, int(math.Abs(float64(x))))
			}
			assert.Equal(t, map[bool]int{true: 0, false: 127}[r < 2], largest, "row %d uses its whole range", r)
		}
		return nil
	}))
}
