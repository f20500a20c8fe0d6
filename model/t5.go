package model

import (
	"math"

	"espalier/torch"
	"espalier/torch/nn"
)

// T5 is an encoder for picture and question and a decoder for the answer, with RMS norms before each part, scores that
// are not scaled, and positions as a learned bias on the scores that the layers of a stack share.
type T5 struct {
	hidden, vocabulary *nn.Axis
	embed              *nn.Embedding
	head               *nn.Linear // nil where the embeddings are the head
	headScale          float64    // on the states before the head
	encoder, decoder   *t5Stack
}

type t5Stack struct {
	blocks *nn.Axis
	layers []*t5Layer
	norm   *nn.RMSNorm
	bias   *relativeBias
}

type t5Layer struct {
	self, cross *t5Attention // cross is nil in the encoder
	norm        *nn.RMSNorm  // before the feed-forward network
	mlp         feedForward
}

type t5Attention struct {
	dims                      *nn.Attention
	norm                      *nn.RMSNorm
	query, key, value, output *nn.Linear
}

// relativeBias is added to the scores for the distance between query and key.
type relativeBias struct {
	table                *nn.Embedding // [buckets, heads]
	buckets, maxDistance int
	bothWays             bool
}

func newT5(b *nn.Builder, c TextConfig) *T5 {
	hidden := b.Axis("hidden", nn.Hidden, c.Hidden)
	vocabulary := b.Axis("vocabulary", nn.Vocabulary, c.Vocabulary)
	m := &T5{
		hidden: hidden, vocabulary: vocabulary, headScale: 1,
		embed:   b.Embedding("shared", vocabulary.Dim(), hidden.Dim(), embeddingInit),
		encoder: newT5Stack(b.Sub("encoder"), c.Layers, false, hidden, c),
		decoder: newT5Stack(b.Sub("decoder"), c.DecoderLayers, true, hidden, c),
	}
	if c.ScaleOutputs == nil || *c.ScaleOutputs {
		m.headScale = 1 / math.Sqrt(float64(c.Hidden)) // the original's width, also in a pruned network
	}
	if !c.tied() {
		m.head = b.LinearNoBias("lm_head", vocabulary.Dim(), hidden.Dim(), weightInit)
	}
	return m
}

// newT5Stack declares an encoder or a decoder. Its self-attention heads are one axis, because all layers share the bias
// table; the table belongs to the stack, not to its first block, under whose name it stands in a checkpoint.
func newT5Stack(b *nn.Builder, layers int, decoder bool, hidden *nn.Axis, c TextConfig) *t5Stack {
	heads := b.Axis("heads", nn.Heads, c.Heads)
	s := &t5Stack{
		blocks: b.Stack("block", layers),
		norm:   b.RMSNorm("final_layer_norm", hidden, c.Eps),
		bias: &relativeBias{
			table: b.Part("language_blocks").Embedding("block.0.layer.0.SelfAttention.relative_attention_bias",
				nn.Fixed(c.Buckets), nn.Mul(heads), embeddingInit),
			buckets: c.Buckets, maxDistance: c.MaxDistance, bothWays: !decoder,
		},
	}
	for i := range s.blocks.Units() {
		s.layers = append(s.layers, newT5Layer(b.Part("language_blocks").Layer(s.blocks, i), decoder, heads, hidden, c))
	}
	return s
}

func newT5Layer(b *nn.Builder, decoder bool, heads, hidden *nn.Axis, c TextConfig) *t5Layer {
	l := &t5Layer{self: newT5Attention(b.Sub("layer.0"), "SelfAttention", b.Attention(heads, "", c.HeadSize), hidden, c)}
	last := b.Sub("layer.1")
	if decoder {
		cross := b.Attention(b.Axis("cross_heads", nn.Heads, c.Heads), "cross_", c.HeadSize)
		l.cross, last = newT5Attention(b.Sub("layer.1"), "EncDecAttention", cross, hidden, c), b.Sub("layer.2")
	}
	l.norm = last.RMSNorm("layer_norm", hidden, c.Eps)
	gate, up := "", "DenseReluDense.wi"
	if c.Gated {
		gate, up = "DenseReluDense.wi_0", "DenseReluDense.wi_1"
	}
	l.mlp = newGatedFeedForward(last, gate, up, "DenseReluDense.wo", hidden, c.Intermediate, c.Activation, false)
	l.mlp.wide = true
	return l
}

func newT5Attention(b *nn.Builder, name string, dims *nn.Attention, hidden *nn.Axis, c TextConfig) *t5Attention {
	return &t5Attention{
		dims:   dims,
		norm:   b.RMSNorm("layer_norm", hidden, c.Eps),
		query:  b.LinearNoBias(name+".q", dims.Query(), hidden.Dim(), weightInit),
		key:    b.LinearNoBias(name+".k", dims.Key(), hidden.Dim(), weightInit),
		value:  b.LinearNoBias(name+".v", dims.Value(), hidden.Dim(), weightInit),
		output: b.LinearNoBias(name+".o", hidden.Dim(), dims.Output(), weightInit),
	}
}

func (m *T5) width() *nn.Axis { return m.hidden }

// Embed maps token ids [...] to [..., hidden].
func (m *T5) Embed(ids *torch.Tensor) *torch.Tensor { return m.embed.Forward(ids) }

// checkPositions lets every length pass: far distances share the last bucket.
func (m *T5) checkPositions(int) {}

// Encode maps embeddings [rows, tokens, hidden] with position ids [rows or 1, tokens] to what the decoder reads; seen
// [rows or 1, tokens] leaves out padding, nil nothing.
func (m *T5) Encode(embeds, positions, seen *torch.Tensor) *memory {
	x := m.hidden.Gated(embeds)
	var keys *torch.Tensor
	if seen != nil {
		keys = additive(seen, x.DType()).Unsqueeze(1).Unsqueeze(1)
	}
	bias := m.encoder.bias.of(positions, positions, x.DType(), keys)
	for i, l := range m.encoder.layers {
		x = torch.Inner(func(_ *torch.Scope, in []*torch.Tensor) *torch.Tensor {
			x, bias := in[0], in[1]
			n := halved(l.self.norm.Forward(x), l.self.query.W)
			k, v := l.self.project(n)
			y := x.Add(l.self.forward(m.hidden, n, k, v, bias))
			return m.encoder.blocks.Through(i, x, l.rest(m.hidden, y))
		}, x, bias)
	}
	return &memory{states: halved(m.encoder.norm.Forward(x), m.encoder.norm.W), mask: keys}
}

// Answer runs the decoder over ids [rows, tokens] that begin with the start token, each seeing those before it.
func (m *T5) Answer(ids *torch.Tensor, read *memory, cache *Cache, pick func(*torch.Tensor) *torch.Tensor) *torch.Tensor {
	if cache == nil {
		cache = &Cache{}
	}
	cache.memory = read
	embeds := likeWeights(m.Embed(ids), m.firstWeight())
	positions := torch.Arange(0, ids.Size(1), ids.Device()).Unsqueeze(0)
	if cache.room > 0 {
		positions = positions.ExpandFirst(ids) // later tokens have a row each
	}
	mask := additive(positions.Unsqueeze(1).Le(positions.Unsqueeze(2)), embeds.DType()).Unsqueeze(1)
	return m.Forward(embeds, positions, mask, cache, pick)
}

// Forward is the decoder, as that of every language model; the cache holds what it reads of the encoder.
func (m *T5) Forward(embeds, positions, mask *torch.Tensor, cache *Cache, pick func(*torch.Tensor) *torch.Tensor) *torch.Tensor {
	x := m.hidden.Gated(embeds)
	bias := m.decoder.bias.of(positions, cache.place(positions), x.DType(), mask)
	for i, l := range m.decoder.layers {
		x = torch.Inner(func(s *torch.Scope, in []*torch.Tensor) *torch.Tensor {
			x, bias, read := in[0], in[1], in[2]
			n := halved(l.self.norm.Forward(x), l.self.query.W)
			k, v := cache.extend(s, i, l.self.key.Forward(n), l.self.value.Forward(n))
			y := x.Add(l.self.forward(m.hidden, n, l.self.dims.SplitKeys(k), l.self.dims.SplitKeys(v), bias))
			k, v = cache.cross(s, i, read, l.cross.project)
			y = y.Add(l.cross.forward(m.hidden, halved(l.cross.norm.Forward(y), l.cross.query.W), k, v, cache.memory.mask))
			return m.decoder.blocks.Through(i, x, l.rest(m.hidden, y))
		}, x, bias, cache.memory.states)
	}
	x = halved(m.decoder.norm.Forward(x), m.decoder.norm.W)
	if pick != nil {
		x = pick(x)
	}
	return x
}

// rest is the feed-forward part of a layer.
func (l *t5Layer) rest(hidden *nn.Axis, x *torch.Tensor) *torch.Tensor {
	return x.Add(hidden.Gated(l.mlp.Forward(halved(l.norm.Forward(x), l.mlp.up.W))))
}

// halved brings normed states to the halves of the weights that read them, or of their norm where the states leave the
// stack. transformers keeps the last matrix of each block of a float16 T5 in float32, and with it the residual stream.
func halved(x *torch.Tensor, reader *nn.Param) *torch.Tensor {
	if reader.DType().IsHalf() {
		return likeWeights(x, reader)
	}
	return x
}

// project makes keys and values [rows, heads, tokens, size] of states.
func (a *t5Attention) project(x *torch.Tensor) (keys, values *torch.Tensor) {
	x = halved(x, a.key.W)
	return a.dims.SplitKeys(a.key.Forward(x)), a.dims.SplitKeys(a.value.Forward(x))
}

func (a *t5Attention) forward(hidden *nn.Axis, n, k, v, mask *torch.Tensor) *torch.Tensor {
	q := a.dims.SplitQueries(a.query.Forward(n))
	return hidden.Gated(a.output.Forward(a.dims.Attend(q, k, v, mask, 1)))
}

// Head maps hidden states [..., hidden] to logits [..., vocabulary].
func (m *T5) Head(x *torch.Tensor) *torch.Tensor {
	if m.headScale != 1 {
		x = x.MulScalar(m.headScale)
	}
	return x.Linear(m.headWeight().T(), nil)
}

func (m *T5) firstWeight() *nn.Param { return m.encoder.layers[0].self.query.W }

func (m *T5) headWeight() *nn.Param {
	if m.head != nil {
		return m.head.W
	}
	return m.embed.W
}

// of is the bias for queries and keys at some positions, plus the mask, [rows or 1, heads, queries, keys].
func (r *relativeBias) of(queries, keys *torch.Tensor, d torch.DType, mask *torch.Tensor) *torch.Tensor {
	bias := r.table.Forward(r.bucket(keys.Unsqueeze(1).Sub(queries.Unsqueeze(2)))).Permute(0, 3, 1, 2).To(d)
	if mask == nil {
		return bias
	}
	return bias.Add(mask)
}

// bucket sorts distances (key − query): near ones have a bucket each, farther ones share them by their logarithm
// (Raffel et al., 2020; in float32, as transformers rounds it).
func (r *relativeBias) bucket(distance *torch.Tensor) *torch.Tensor {
	n := r.buckets
	side := distance.Neg().ClampMin(0) // a decoder looks back only
	var after *torch.Tensor
	if r.bothWays {
		n /= 2
		after = distance.GtScalar(0).To(torch.Int64).MulScalar(float64(n))
		side = distance.Abs()
	}
	exact := n / 2
	far := side.ClampMin(1).To(torch.Float32).MulScalar(1 / float64(exact)).Log().
		MulScalar(1 / math.Log(float64(r.maxDistance)/float64(exact))).MulScalar(float64(n - exact)).To(torch.Int64).AddScalar(float64(exact))
	far = far.Minimum(torch.Full(nil, float64(n-1), torch.Int64, distance.Device()))
	bucket := torch.Where(side.LtScalar(float64(exact)), side, far)
	if after != nil {
		bucket = bucket.Add(after)
	}
	return bucket
}
