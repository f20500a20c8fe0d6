package torch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestSameSeedSameNumbers(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		a, b, c := torch.NewGenerator(1), torch.NewGenerator(1), torch.NewGenerator(2)
		for range 2 { // the streams go on alike
			x := a.Randn(3, 5).Floats()
			require.Equal(t, x, b.Randn(3, 5).Floats())
			require.NotEqual(t, x, c.Randn(3, 5).Floats())
			require.Equal(t, a.Rand(7).Floats(), b.Rand(7).Floats())
		}
		require.NotEqual(t, a.Rand(4).Floats(), a.Rand(4).Floats())
	})
}

// The numbers are those of torch.Generator().manual_seed(0): torch.randn(3), torch.rand(3) and torch.randn(16), whose
// kernel is another one, print them.
func TestGoldenNumbers(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		torchtest.Values(t, torch.NewGenerator(0).Randn(3), []int{3}, 1.5409961, -0.29342890, -2.1787894)
		torchtest.Values(t, torch.NewGenerator(0).Rand(3), []int{3}, 0.49625659, 0.76822180, 0.08847743)
		torchtest.Values(t, torch.NewGenerator(0).Randn(16).Narrow(0, 0, 3), []int{3}, -1.1258398, -1.1523602, -0.25057858)
	})
}

func TestDistributions(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		const n = 100_000
		g := torch.NewGenerator(3)
		x, u := g.Randn(n), g.Rand(n)
		require.Equal(t, torch.Float32, x.DType())
		require.InDelta(t, 0, x.Mean().Item(), .02) // six deviations of the mean
		require.InDelta(t, 1, x.Mul(x).Mean().Item(), .03)
		require.InDelta(t, .5, u.Mean().Item(), .006)
		require.Zero(t, u.LtScalar(0).Or(u.LtScalar(1).Not()).Sum().Item())
	})
}

func TestSeedsOfAllBits(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		require.NotEqual(t, torch.NewGenerator(1<<63).Randn(4).Floats(), torch.NewGenerator(0).Randn(4).Floats())
	})
}
