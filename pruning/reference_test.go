package pruning_test

import (
	"fmt"
	"math"
	"strings"
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

const parity = 1e-4 // of a tensor's largest value, against the PyTorch reference

// sample is the reference's: two batches of two pictures, mean cross entropy.
func sample(t *testing.T) pruning.Sample {
	io := modeltest.RefTinyFile(t, "io")
	return pruning.Sample{
		Batches: 2,
		Batch:   func(i int) (*model.Batch, error) { return modeltest.RefTinyBatch(t, io, 2*i, 2*i+2, false), nil },
		Loss: func(_ int, b *model.Batch, logits *torch.Tensor) *torch.Tensor {
			return logits.CrossEntropy(b.Targets)
		},
		Seed: 1,
	}
}

func axesOf(n model.Network, kinds ...nn.Kind) []*nn.Axis {
	var out []*nn.Axis
	for _, a := range n.Store().Axes() {
		for _, k := range kinds {
			if a.Kind == k {
				out = append(out, a)
			}
		}
	}
	return out
}

// referenceName is the fixture's name for the scores of an axis.
func referenceName(axis string) string {
	names := []struct{ prefix, tower string }{
		{"vision_model.", "vis"}, {"qformer.", "qf"}, {"language_model.", "lm"},
	}
	for _, n := range names {
		if !strings.HasPrefix(axis, n.prefix) {
			continue
		}
		if strings.HasSuffix(axis, ".hidden") {
			return "width." + n.tower
		}
		parts := strings.Split(axis, ".")
		number := ""
		for _, p := range parts {
			if p[0] >= '0' && p[0] <= '9' {
				number = p
			}
		}
		switch {
		case number == "":
			return "block." + n.tower
		case strings.HasSuffix(axis, ".ffn"):
			return fmt.Sprintf("ffn.%s.%s.ffn", n.tower, number)
		case strings.Contains(axis, "crossattention"):
			return fmt.Sprintf("head.%s.%s.cross", n.tower, number)
		}
		return fmt.Sprintf("head.%s.%s.att", n.tower, number)
	}
	return axis
}

func TestImportanceEqualsReference(t *testing.T) {
	torchtest.Setup(t)
	m, want := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "importance")
	axes := axesOf(m, nn.Blocks, nn.Heads, nn.FFN, nn.Hidden)
	for criterion, how := range map[string]string{"gradient": "grad", "taylor": "gradw"} {
		scores, err := pruning.Importance(m, criterion, axes, sample(t))
		require.NoError(t, err)
		require.Len(t, axes, len(want)/2, "the fixture scores the same axes, twice")
		require.True(t, len(scores) == len(axes))
		for axis, got := range scores {
			expected := want[how+"."+referenceName(axis)]
			require.NotNil(t, expected, axis)
			largest := 0.
			for _, v := range expected.Floats() {
				largest = max(largest, v)
			}
			for i, v := range expected.Floats() {
				assert.InDelta(t, v, got[i], parity*largest, "%s of %s, unit %d", criterion, axis, i)
			}
		}
	}
}

// Three stages in a row, scored anew before each, must leave the reference's tensors and logits.
func TestStagesEqualReference(t *testing.T) {
	torchtest.Setup(t)
	var n model.Network = modeltest.RefTiny(t)
	want, io := modeltest.RefTinyFile(t, "pruned_io"), modeltest.RefTinyFile(t, "io")
	stages := []struct {
		kinds []nn.Kind
		keep  func(a *nn.Axis) int
	}{
		{[]nn.Kind{nn.Blocks}, func(a *nn.Axis) int { return map[string]int{"vision": 2, "qformer": 2, "language": 1}[a.Tower] }},
		{[]nn.Kind{nn.Heads, nn.FFN}, func(a *nn.Axis) int {
			if a.Kind == nn.Heads {
				return max(1, int(math.RoundToEven(float64(a.Units())*.5)))
			}
			return max(8, int(math.RoundToEven(float64(a.Units())*.5/8))*8)
		}},
		{[]nn.Kind{nn.Hidden}, func(a *nn.Axis) int { return map[string]int{"vision": 16, "qformer": 16, "language": 12}[a.Tower] }},
	}
	for i, s := range stages {
		axes := axesOf(n, s.kinds...)
		scores, err := pruning.Importance(n, "taylor", axes, sample(t))
		require.NoError(t, err)
		plan := pruning.Plan{Keep: map[string][]int{}}
		for _, a := range axes {
			plan.Keep[a.Name], err = pruning.Choose(a, scores[a.Name], s.keep(a))
			require.NoError(t, err)
		}
		after, err := pruning.Apply(n, plan)
		require.NoError(t, err)
		t.Cleanup(after.Store().Free)
		diff, err := pruning.Verify(n, after, plan, func() (*model.Batch, error) { return modeltest.RefTinyBatch(t, io, 0, 2, false), nil })
		require.NoError(t, err)
		assert.LessOrEqual(t, diff, pruning.Tolerance)
		n = after
		expected := modeltest.Rename(t, modeltest.RefTinyFile(t, fmt.Sprintf("stage%d", i+1)))
		got := n.Store().Named()
		require.Len(t, got, len(expected))
		for name, v := range got {
			require.NotNil(t, expected[name], name)
			assert.Equal(t, expected[name].Floats(), v.Floats(), name)
		}
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			torch.NoGrad(func() {
				logits := want[fmt.Sprintf("stage%d.logits", i+1)]
				b := modeltest.RefTinyBatch(t, io, 0, 4, true)
				torchtest.Within(t, logits, n.Logits(b).Reshape(logits.Shape()...), parity, 0)
			})
			return nil
		}))
	}
}
