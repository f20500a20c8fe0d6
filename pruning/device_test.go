package pruning_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// On every device the criteria give the scores of the CPU; in float64, where they do not differ by rounding. The gates
// of taylor-sample are float32.
func TestDevicesScoreAlike(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		m := modeltest.Family(t, "instructblip_t5")
		scores := func(on torch.Device, criterion string) pruning.Scores {
			n, err := model.Convert(m, torch.Float64, on)
			require.NoError(t, err)
			defer n.Store().Free()
			kinds := []nn.Kind{nn.Blocks, nn.Heads, nn.FFN, nn.Hidden}
			if criterion == "cosine" {
				kinds = []nn.Kind{nn.Blocks}
			}
			s := pruning.Sample{Batches: 2, Batch: func(int) (*model.Batch, error) {
				b, err := modeltest.Ask(n)()
				if err != nil {
					return nil, err
				}
				return b.PicturesTo(torch.Float64), nil
			}, Loss: func(_ int, b *model.Batch, logits *torch.Tensor) *torch.Tensor { return logits.CrossEntropy(b.Targets) }}
			out, err := pruning.Importance(n, criterion, axesOf(n, kinds...), s)
			require.NoError(t, err)
			return out
		}
		for _, criterion := range []string{"gradient", "taylor", "taylor-vector", "taylor-sample", "magnitude", "cosine"} {
			want, got := scores(torch.CPU, criterion), scores(on, criterion)
			require.Len(t, got, len(want))
			largest := 0.
			for _, w := range want {
				largest = max(largest, slices.Max(w))
			}
			require.Positive(t, largest, criterion)
			tolerance := 1e-9
			if criterion == "taylor-sample" {
				tolerance = 1e-6
			}
			for axis, w := range want {
				assert.InDeltaSlice(t, w, got[axis], tolerance*largest, "%s of %s", criterion, axis)
			}
		}
	})
}

func TestDevicesVerify(t *testing.T) {
	for _, name := range modeltest.Families {
		t.Run(name, func(t *testing.T) {
			torchtest.Devices(t, func(t *testing.T, on torch.Device) {
				m, err := model.Convert(modeltest.Family(t, name), torch.Float32, on)
				require.NoError(t, err)
				defer m.Store().Free()
				r := rand.New(rand.NewPCG(7, 8))
				for range 4 {
					plan := evened(r, m, randomPlan(r, m, modeltest.Asked()))
					after, err := pruning.Apply(m, plan)
					require.NoError(t, err)
					require.Equal(t, on, after.Store().Params()[0].T().Device())
					_, err = pruning.Verify(m, after, plan, modeltest.Ask(m))
					require.NoError(t, err, "%v", plan)
					after.Store().Free()
				}
			})
		})
	}
}
