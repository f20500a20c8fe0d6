package distillation_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// The parameters end as the average of the weights that they went through, the weights of the beginning included; a step that
// is skipped is none.
func TestAverageOfTheWeights(t *testing.T) {
	torchtest.Setup(t)
	const decay = .4 // the first steps have less: 1/10, 2/11, 3/12, ...
	train := func(average float64, each func(w []float64)) []float64 {
		w := torch.From([]float64{1, -2}, torch.CPU)
		defer w.Free()
		o := distillation.Options{Steps: 10, LR: .1, Average: average, Progress: func(int, float64) { each(w.Floats()) }}
		told, err := distillation.Train(context.Background(), []*torch.Tensor{w}, o, func(at distillation.At, _ func(func())) (*torch.Tensor, error) {
			loss := w.Mul(w).Sum()
			if at.Step == 1 {
				loss = loss.MulScalar(math.NaN())
			}
			return loss, nil
		})
		require.NoError(t, err)
		assert.Equal(t, 1, told.Skipped)
		return w.Floats()
	}
	want, step, taken := []float64{1, -2}, 0, 0.
	last := train(0, func(w []float64) {
		if step++; step == 2 {
			return
		}
		d := min(decay, (1+taken)/(10+taken))
		taken++
		for i := range want {
			want[i] = d*want[i] + (1-d)*w[i]
		}
	})
	got := train(decay, func([]float64) {})
	assert.InDeltaSlice(t, want, got, 1e-12)
	assert.NotEqual(t, last, got)
}
