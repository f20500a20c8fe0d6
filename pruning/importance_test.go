package pruning_test

import (
	"math"
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

// For one picture, the gradient of a gate is the slope of the loss when the unit fades: compare with a difference
// quotient in float64.
func TestTaylorSampleIsTheSlopeOfTheLoss(t *testing.T) {
	torchtest.Setup(t)
	m, io := modeltest.Double(t, modeltest.RefTiny(t)), modeltest.RefTinyFile(t, "io")
	axes := axesOf(m, nn.Blocks, nn.Heads, nn.FFN, nn.Hidden, nn.Queries)
	s := sample(t)
	s.Batches = 1
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		b := modeltest.RefTinyBatch(t, io, 0, 1, false)
		s.Batch = func(int) (*model.Batch, error) { return b, nil }
		scores, err := pruning.Importance(m, "taylor-sample", axes, s)
		require.NoError(t, err)
		loss := func(a *nn.Axis, unit int, gate float64) float64 {
			g := make([]float64, a.Units())
			for i := range g {
				g[i] = 1
			}
			g[unit] = gate
			m.Store().SetGates(map[string]*torch.Tensor{a.Name: torch.From(g, torch.CPU)})
			defer m.Store().SetGates(nil)
			return s.Loss(0, b, m.Logits(b)).Item()
		}
		torch.NoGrad(func() {
			for _, a := range axes {
				largest := 0.
				for _, v := range scores[a.Name] {
					largest = max(largest, v)
				}
				const step = 1e-4 // central: the error is of third order
				for unit := 0; unit < a.Units(); unit += 5 {
					slope := (loss(a, unit, 1+step) - loss(a, unit, 1-step)) / (2 * step)
					assert.InDelta(t, max(slope, -slope), scores[a.Name][unit], 1e-5*largest, "%s unit %d", a.Name, unit)
				}
			}
		})
		return nil
	}))
}

func TestCriteriaWithoutData(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.RefTiny(t)
	blocks := axesOf(m, nn.Blocks)
	scores, err := pruning.Importance(m, "last", blocks, pruning.Sample{})
	require.NoError(t, err)
	assert.Equal(t, []float64{3, 2, 1}, scores["vision_model.encoder.layers"])

	hidden := axesOf(m, nn.Hidden)
	one, err := pruning.Importance(m, "random", hidden, pruning.Sample{Seed: 1})
	require.NoError(t, err)
	same, err := pruning.Importance(m, "random", hidden[1:], pruning.Sample{Seed: 1})
	require.NoError(t, err)
	other, err := pruning.Importance(m, "random", hidden, pruning.Sample{Seed: 2})
	require.NoError(t, err)
	assert.Equal(t, one["qformer.hidden"], same["qformer.hidden"], "a stream of each axis' own")
	assert.NotEqual(t, one["qformer.hidden"], other["qformer.hidden"])

	ffn := m.Store().Axis("vision_model.encoder.layers.0.ffn")
	scores, err = pruning.Importance(m, "magnitude", []*nn.Axis{ffn}, pruning.Sample{})
	require.NoError(t, err)
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		layer := "vision_model.encoder.layers.0.mlp."
		value := func(name string) *torch.Tensor {
			return m.Store().Param(layer + name).T().Detach().Abs().To(torch.Float64)
		}
		want := value("fc1.weight").Sum(1).Add(value("fc1.bias")).Add(value("fc2.weight").Sum(0)).Floats()
		assert.InDeltaSlice(t, want, scores[ffn.Name], 1e-9)
		return nil
	}))
}

// taylor-vector keeps the sign within a slice and drops it between slices.
func TestTaylorVectorSlices(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.Double(t, modeltest.RefTiny(t))
	s := sample(t)
	s.Batches = 1
	heads := m.Store().Axis("vision_model.encoder.layers.1.heads")
	scores, err := pruning.Importance(m, "taylor-vector", []*nn.Axis{heads}, s)
	require.NoError(t, err)
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		m.Store().SetRequiresGrad(true)
		b, err := s.Batch(0)
		require.NoError(t, err)
		s.Loss(0, b, m.Logits(b)).Backward()
		want := make([]float64, heads.Units())
		layer := "vision_model.encoder.layers.1.self_attn."
		product := func(name string) *torch.Tensor {
			p := m.Store().Param(layer + name).T()
			return p.Detach().Mul(p.Grad()).To(torch.Float64)
		}
		for _, part := range []*torch.Tensor{product("qkv.weight").Sum(1), product("qkv.bias")} {
			for i, v := range part.Reshape(3*heads.Units(), heads.Block()).Sum(1).Floats() {
				want[i%heads.Units()] += max(v, -v)
			}
		}
		for i, v := range product("projection.weight").Sum(0).Reshape(heads.Units(), heads.Block()).Sum(1).Floats() {
			want[i] += max(v, -v)
		}
		for _, p := range m.Store().Params() {
			p.T().SetGrad(nil)
		}
		m.Store().SetRequiresGrad(false)
		assert.InDeltaSlice(t, want, scores[heads.Name], torchtest.Alike*slices.Max(want))
		return nil
	}))
}

func TestCosineScoresIdentityAsZero(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.RefTiny(t)
	layer := "vision_model.encoder.layers.1."
	for _, name := range []string{"self_attn.projection.weight", "self_attn.projection.bias", "mlp.fc2.weight", "mlp.fc2.bias"} {
		m.Store().Param(layer + name).T().Fill(0) // the block now passes its input on
	}
	scores, err := pruning.Importance(m, "cosine", axesOf(m, nn.Blocks), sample(t))
	require.NoError(t, err)
	vision := scores["vision_model.encoder.layers"]
	assert.InDelta(t, 0, vision[1], 1e-9)
	assert.Greater(t, vision[0], 1e-3)
	assert.Greater(t, vision[2], 1e-3)
}

func TestCriteriaAreRefusedWhereTheyDoNotFit(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.RefTiny(t)
	_, err := pruning.Importance(m, "gradiant", axesOf(m, nn.Blocks), sample(t))
	assert.ErrorContains(t, err, `unknown criterion "gradiant"`)
	_, err = pruning.Importance(m, "last", axesOf(m, nn.FFN), sample(t))
	assert.ErrorContains(t, err, "scores blocks")
	_, err = pruning.Importance(m, "taylor-sample", axesOf(m, nn.Vocabulary), sample(t))
	assert.ErrorContains(t, err, "the gate of language_model.vocabulary has no gradient")
	_, err = pruning.Importance(m, "gradient", axesOf(m, nn.FFN), pruning.Sample{})
	assert.ErrorContains(t, err, "at least one batch")
}

func TestChoose(t *testing.T) {
	m := modeltest.RefTiny(t)
	vision := m.Store().Axis("vision_model.encoder.layers")
	kept, err := pruning.Choose(vision, []float64{1, 3, 3}, 1)
	require.NoError(t, err)
	assert.Equal(t, []int{1}, kept, "the lower number of equals")
	qformer := m.Store().Axis("qformer.encoder.layer") // 0 and 2 have cross-attention
	kept, err = pruning.Choose(qformer, []float64{9, 1, 8, 2}, 2)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 3}, kept, "ranked within each group")
	kept, err = pruning.Choose(qformer, []float64{1, 9, 2, 8}, 1)
	require.NoError(t, err)
	assert.Equal(t, []int{2}, kept, "a layer with cross-attention stays")
	_, err = pruning.Choose(vision, []float64{1, 2, 3}, 4)
	assert.ErrorContains(t, err, "has 3 units")
}

// Layers that matter more keep more; every layer keeps a step, and the total is met.
func TestChooseTogether(t *testing.T) {
	m := modeltest.RefTiny(t)
	var axes []*nn.Axis
	scores := pruning.Scores{}
	for _, a := range axesOf(m, nn.FFN) {
		if a.Tower != "vision" {
			continue
		}
		axes = append(axes, a)
		for u := range a.Units() {
			scores[a.Name] = append(scores[a.Name], (1+float64(len(axes))/2)*float64(1+u%3))
		}
	}
	require.Len(t, axes, 3)
	units := axes[0].Units()
	total := 3 * units / 2
	kept, err := pruning.ChooseTogether(axes, scores, total, 4)
	require.NoError(t, err)
	count, least := 0, math.Inf(1)
	for _, a := range axes {
		assert.GreaterOrEqual(t, len(kept[a.Name]), 4)
		assert.IsIncreasing(t, kept[a.Name])
		count += len(kept[a.Name])
	}
	assert.Equal(t, total, count)
	assert.Less(t, len(kept[axes[0].Name]), len(kept[axes[1].Name]))
	assert.Less(t, len(kept[axes[1].Name]), len(kept[axes[2].Name]))
	for _, u := range kept[axes[0].Name] {
		least = min(least, scores[axes[0].Name][u])
	}
	assert.Equal(t, 4.5, least, "the best of the layer that matters least")

	alone, err := pruning.ChooseTogether(axes[:1], scores, total/3, 4)
	require.NoError(t, err)
	want, err := pruning.Choose(axes[0], scores[axes[0].Name], total/3)
	require.NoError(t, err)
	assert.Equal(t, want, alone[axes[0].Name])
	_, err = pruning.ChooseTogether(axes, scores, 2, 1)
	assert.ErrorContains(t, err, "too few for 3 layers")
	_, err = pruning.ChooseTogether(axes, scores, 3*units+1, 1)
	assert.ErrorContains(t, err, "more than")
}

// Several cuts leave of each rank group what one cut leaves: the Q-Former's layers with and without cross-attention.
func TestChooseInSeveralCuts(t *testing.T) {
	m := modeltest.RefTiny(t)
	scores := []float64{9, 1, 8, 2}
	once, err := pruning.Choose(m.Store().Axis("qformer.encoder.layer"), scores, 2)
	require.NoError(t, err)
	require.Equal(t, []int{0, 3}, once)
	kept, err := pruning.Choose(m.Store().Axis("qformer.encoder.layer"), scores, 3)
	require.NoError(t, err)
	require.Equal(t, []int{0, 2, 3}, kept)
	n, err := pruning.Declare(m, pruning.Plan{Keep: map[string][]int{"qformer.encoder.layer": kept}})
	require.NoError(t, err)
	twice, err := pruning.Choose(n.Store().Axis("qformer.encoder.layer"), []float64{9, 8, 2}, 2)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 2}, twice, "one with cross-attention and one without")
}
