package pruning_test

import (
	"encoding/json"
	"errors"
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

// Stopped at any batch, a score goes on to the same bits, also where a gradient of an early batch lowered the scale of the loss.
func TestScoresGoOnExactly(t *testing.T) {
	torchtest.Setup(t)
	const batches = 3
	io := modeltest.RefTinyFile(t, "io")
	half, err := model.Convert(modeltest.RefTiny(t), torch.Float16, torch.CPU)
	require.NoError(t, err)
	defer half.Store().Free()
	stopped := errors.New("stopped")
	for name, n := range map[string]model.Network{"float32": modeltest.RefTiny(t), "float16": half} {
		for criterion, kinds := range map[string][]nn.Kind{"gradient": {nn.FFN, nn.Heads, nn.Blocks}, "taylor": {nn.FFN}, "taylor-vector": {nn.Hidden},
			"taylor-sample": {nn.Heads, nn.Blocks}, "cosine": {nn.Blocks}} {
			axes := axesOf(n, kinds...)
			var read []int
			score := func(from pruning.Sums, stop int) (scores pruning.Scores, last pruning.Sums, err error) {
				s := pruning.Sample{Batches: batches, Resumed: pruning.Resumed{From: from, Each: func(sums pruning.Sums) {
					text, err := json.Marshal(sums) // as it is kept on the disk
					require.NoError(t, err)
					last = pruning.Sums{}
					require.NoError(t, json.Unmarshal(text, &last))
				}}}
				s.Batch = func(i int) (*model.Batch, error) {
					if i == stop {
						return nil, stopped
					}
					read = append(read, i)
					return modeltest.RefTinyBatch(t, io, i, i+1, false), nil
				}
				s.Loss = func(i int, b *model.Batch, logits *torch.Tensor) *torch.Tensor {
					loss := logits.CrossEntropy(b.Targets).To(torch.Float32)
					if i == 0 {
						loss = loss.MulScalar(1 << 12) // overflows float16 with the first scale
					}
					return loss
				}
				scores, err = pruning.Importance(n, criterion, axes, s)
				return scores, last, err
			}
			want, end, err := score(pruning.Sums{}, -1)
			require.NoError(t, err, "%s %s", name, criterion)
			if name == "float16" && criterion != "cosine" {
				assert.Less(t, end.Scale, float64(1<<14), criterion)
			}
			for stop := range batches {
				_, kept, err := score(pruning.Sums{}, stop)
				require.ErrorIs(t, err, stopped)
				assert.Equal(t, stop, kept.Batches)
				read = nil
				got, last, err := score(kept, -1)
				require.NoError(t, err)
				assert.Equal(t, want, got, "%s %s, stopped at batch %d", name, criterion, stop)
				assert.Equal(t, end, last)
				assert.NotContains(t, read, stop-1, "it was counted before")
			}
		}
	}
	_, err = pruning.Importance(half, "gradient", axesOf(half, nn.FFN), pruning.Sample{Batches: 2, Resumed: pruning.Resumed{From: pruning.Sums{Batches: 1}}})
	assert.ErrorContains(t, err, "not of these units")
}
