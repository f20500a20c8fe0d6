//go:build cgotorch

package gotorch_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	theirs "github.com/wangkuiyi/gotorch"

	"espalier/torch"
)

// BenchmarkTiny adds tensors of one element and frees the sum, each side in its own way, in turns:
// go test -tags=cgotorch -run '^$' -bench Tiny -count 5 ./torch/gotorch
func BenchmarkTiny(b *testing.B) {
	b.Run("espalier", func(b *testing.B) {
		require.NoError(b, torch.Run(func(*torch.Scope) error {
			x, y := torch.Ones([]int{1}, torch.Float32, torch.CPU), torch.Ones([]int{1}, torch.Float32, torch.CPU)
			for range b.N {
				x.Add(y).Free()
			}
			return nil
		}))
	})
	b.Run("gotorch", func(b *testing.B) {
		x, y := theirs.Full([]int64{1}, 1, false), theirs.Full([]int64{1}, 1, false)
		for range b.N {
			theirs.Add(x, y, 1) // its finalizer frees it, after a collection
		}
		runtime.KeepAlive(x)
		runtime.KeepAlive(y)
		runtime.GC()
	})
}
