package pruning_test

import (
	"fmt"
	"math"
	"slices"
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
	want := modeltest.ReadTruth(t, modeltest.Folder("ref_tiny"), "importance", "importance")
	modeltest.InBoth(t, modeltest.RefTiny(t), func(t *testing.T, m *model.Blip2) {
		axes := axesOf(m, nn.Blocks, nn.Heads, nn.FFN, nn.Hidden)
		for criterion, how := range map[string]string{"gradient": "grad", "taylor": "gradw"} {
			scores, err := pruning.Importance(m, criterion, axes, sample(t))
			require.NoError(t, err)
			require.Len(t, axes, len(want.Values)/2, "the fixture scores the same axes, twice")
			require.Len(t, scores, len(axes))
			require.NoError(t, torch.Run(func(*torch.Scope) error {
				for axis, got := range scores { // always float64; as exact as the network
					d := m.Store().Params()[0].T().DType()
					want.Check(t, how+"."+referenceName(axis), torch.From(got, torch.CPU).To(d))
				}
				return nil
			}))
		}
	})
}

// requireClearCut fails the test where a unit that stays and one that goes have almost the same score: float32 could turn
// such a ranking round.
func requireClearCut(t *testing.T, scores []float64, kept []int) {
	t.Helper()
	for u, gone := range scores {
		if slices.Contains(kept, u) {
			continue
		}
		for _, k := range kept {
			require.Greater(t, math.Abs(scores[k]-gone), 1e-4*slices.Max(scores), "units %d and %d", k, u)
		}
	}
}

// Three stages in a row, scored anew before each, must leave the reference's tensors and logits.
func TestStagesEqualReference(t *testing.T) {
	torchtest.Setup(t)
	var n model.Network = modeltest.RefTiny(t)
	want, io := modeltest.RefTinyTruth(t), modeltest.RefTinyFile(t, "io")
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
			requireClearCut(t, scores[a.Name], plan.Keep[a.Name])
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
				name, b := fmt.Sprintf("stage%d.logits", i+1), modeltest.RefTinyBatch(t, io, 0, 4, true)
				for _, m := range []model.Network{n, modeltest.Double(t, n)} {
					want.Check(t, name, m.Logits(b).Reshape(want.Values[name].Shape()...))
				}
			})
			return nil
		}))
	}
}
