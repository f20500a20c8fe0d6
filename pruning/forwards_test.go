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

// The activations of a vision block, written out from its input and its weights.
func TestActivationIsTheNormOfActivations(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.Double(t, modeltest.RefTiny(t))
	const name, stack = "vision_model.encoder.layers.1.", "vision_model.encoder.layers"
	s := sample(t)
	batch := s.Batch
	s.Batch = func(i int) (*model.Batch, error) {
		b, err := batch(i)
		if err != nil {
			return nil, err
		}
		return b.PicturesTo(torch.Float64), nil
	}
	blocks := m.Store().Axis(stack)
	axes := []*nn.Axis{blocks}
	for _, a := range []string{"heads", "key_size", "value_size", "ffn"} {
		axes = append(axes, m.Store().Axis(name+a))
	}
	got, err := pruning.Importance(m, "activation", axes, s)
	require.NoError(t, err)

	want := map[string][]float64{}
	p := func(n string) *torch.Tensor { return m.Store().Param(name + n).T() }
	norms := func(axis string, x *torch.Tensor) { // x [elements of a unit, …, units] in the last dimension
		for len(want[axis]) < x.Size(-1) {
			want[axis] = append(want[axis], 0)
		}
		for i, v := range x.Mul(x).Flatten(0, -2).Sum(0).Sqrt().Floats() {
			want[axis][i] += v / float64(s.Batches)
		}
	}
	heads := m.Store().Axis(name + "heads").Units()
	blocks.Observe = func(block int, in, out *torch.Tensor) {
		if block != 1 {
			return
		}
		eps := m.Config().Vision.Eps
		n := in.LayerNorm(p("layer_norm1.weight"), p("layer_norm1.bias"), eps)
		qkv := n.Linear(p("self_attn.qkv.weight"), p("self_attn.qkv.bias")).Unflatten(-1, 3, heads, -1) // [batch, tokens, 3, heads, size]
		q, k, v := qkv.Select(2, 0), qkv.Select(2, 1).Transpose(1, 2), qkv.Select(2, 2).Transpose(1, 2)
		size := q.Size(-1)
		weights := q.Transpose(1, 2).MatMul(k.Transpose(-1, -2)).MulScalar(1 / math.Sqrt(float64(size))).Softmax(-1)
		given := weights.MatMul(v).Transpose(1, 2) // [batch, tokens, heads, size]
		norms("key_size", q.Flatten(2, 3))
		norms("value_size", given.Flatten(2, 3))
		norms("heads", given.Transpose(2, 3))
		x := in.Add(given.Flatten(2, 3).Linear(p("self_attn.projection.weight"), p("self_attn.projection.bias")))
		norms("ffn", x.LayerNorm(p("layer_norm2.weight"), p("layer_norm2.bias"), eps).Linear(p("mlp.fc1.weight"), p("mlp.fc1.bias")).GELU(false))
		norms("block", out.Sub(in).Flatten(0, -1).Unsqueeze(-1))
	}
	defer func() { blocks.Observe = nil }()
	for i := range s.Batches {
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			b, err := s.Batch(i)
			torch.NoGrad(func() { m.Vision(b.Pictures) })
			return err
		}))
	}
	for _, a := range []string{"heads", "key_size", "value_size", "ffn"} {
		require.Len(t, got[name+a], len(want[a]))
		assert.InDeltaSlice(t, want[a], got[name+a], 1e-9*want[a][0], a)
	}
	assert.InDelta(t, want["block"][0], got[stack][1], 1e-9*want["block"][0])
}

// Every kind of axis with a gate has activations, in every family; query tokens and the vocabulary are refused by name.
func TestActivationScoresEveryKind(t *testing.T) {
	for _, name := range []string{"instructblip_t5", "instructblip_llama", "blip2_opt_wide"} {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			m := modeltest.Family(t, name)
			axes := axesOf(m, nn.Blocks, nn.Heads, nn.KeySize, nn.ValueSize, nn.FFN, nn.Hidden, nn.Embeddings)
			s := pruning.Sample{Batches: 1, Batch: func(int) (*model.Batch, error) { return modeltest.Ask(m)() }}
			scores, err := pruning.Importance(m, "activation", axes, s)
			require.NoError(t, err)
			for _, a := range axes {
				require.Len(t, scores[a.Name], a.Units())
				assert.Positive(t, slices.Max(scores[a.Name]), a.Name) // under ReLU a unit may be dead
			}
			_, err = pruning.Importance(m, "activation", axesOf(m, nn.Queries), s)
			assert.ErrorContains(t, err, "qformer.queries has no activations of its own")
		})
	}
}
