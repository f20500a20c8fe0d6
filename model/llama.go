package model

import (
	"espalier/torch"
	"espalier/torch/nn"
)

// Llama is a decoder with RMS norms before each part, rotary positions, grouped key-value heads and a gated feed-forward
// network. Vicuna, and with it MiniGPT-4's language model, is one.
type Llama struct {
	hidden, vocabulary, stack *nn.Axis
	embed                     *nn.Embedding
	head                      *nn.Linear // nil where the embeddings are the head
	layers                    []*llamaLayer
	norm                      *nn.RMSNorm
	rope                      *rope
}

type llamaLayer struct {
	attention                 *nn.Attention
	kv                        int // key-value heads
	query, key, value, output *nn.Linear
	norm1, norm2              *nn.RMSNorm
	mlp                       feedForward
	scale                     float64
}

func newLlama(b *nn.Builder, c TextConfig) *Llama {
	hidden := b.Axis("hidden", nn.Hidden, c.Hidden)
	vocabulary := b.Axis("vocabulary", nn.Vocabulary, c.Vocabulary)
	d := b.Sub("model")
	turn, _ := newRope(&c) // the config was checked
	m := &Llama{
		hidden: hidden, vocabulary: vocabulary, rope: turn,
		embed: d.Embedding("embed_tokens", vocabulary.Dim(), hidden.Dim(), embeddingInit),
		norm:  d.RMSNorm("norm", hidden, c.Eps),
		stack: d.Stack("layers", c.Layers),
	}
	if !c.tied() {
		m.head = b.LinearNoBias("lm_head", vocabulary.Dim(), hidden.Dim(), weightInit)
	}
	for i := range m.stack.Units() {
		m.layers = append(m.layers, newLlamaLayer(d.Part("language_blocks").Layer(m.stack, i), hidden, c))
	}
	return m
}

// newLlamaLayer declares a layer. Where each query head has keys and values of its own they go together; where query
// heads share them, the query heads of each group are cut alike and the keys and values stay.
func newLlamaLayer(b *nn.Builder, hidden *nn.Axis, c TextConfig) *llamaLayer {
	heads := b.Axis("heads", nn.Heads, c.Heads)
	attention, kv := b.RotaryAttention(heads, c.KVHeads, c.HeadSize), c.KVHeads
	if c.KVHeads == c.Heads {
		kv = heads.Units()
	}
	return &llamaLayer{
		attention: attention, kv: kv,
		scale:  b.Number("attention_scale", attentionScale(c.HeadSize)),
		norm1:  b.RMSNorm("input_layernorm", hidden, c.Eps),
		query:  b.LinearIf(c.AttentionBias, "self_attn.q_proj", attention.Query(), hidden.Dim(), weightInit),
		key:    b.LinearIf(c.AttentionBias, "self_attn.k_proj", attention.Key(), hidden.Dim(), weightInit),
		value:  b.LinearIf(c.AttentionBias, "self_attn.v_proj", attention.Value(), hidden.Dim(), weightInit),
		output: b.LinearIf(c.AttentionBias, "self_attn.o_proj", hidden.Dim(), attention.Output(), weightInit),
		norm2:  b.RMSNorm("post_attention_layernorm", hidden, c.Eps),
		mlp:    newGatedFeedForward(b, "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", hidden, c.Intermediate, c.Activation, c.MLPBias),
	}
}

func (m *Llama) width() *nn.Axis { return m.hidden }

// Embed maps token ids [...] to [..., hidden].
func (m *Llama) Embed(ids *torch.Tensor) *torch.Tensor { return m.embed.Forward(ids) }

// checkPositions lets every length pass: rotary positions have no table that ends.
func (m *Llama) checkPositions(int) {}

// Forward is that of every language model. The last layer computes only what pick asks for.
func (m *Llama) Forward(embeds, positions, mask *torch.Tensor, cache *Cache, pick func(*torch.Tensor) *torch.Tensor) *torch.Tensor {
	x := m.hidden.Gated(embeds)
	turn := m.rope.at(positions, x.DType(), nil, 1)
	last, early := len(m.layers)-1, pick
	if l := m.layers[last]; watched(m.hidden, m.stack, l.attention, l.mlp.ffn) {
		early = nil // gates and observers work on [rows, tokens, width]
	}
	for i, l := range m.layers {
		x = torch.Inner(func(s *torch.Scope, in []*torch.Tensor) *torch.Tensor {
			x := in[0]
			turn := turn
			if pairs := l.attention.Keys.Origin; pairs != nil {
				turn = m.rope.at(positions, x.DType(), pairs, l.kv)
			}
			attended := l.attend(x, mask, turn, s, cache, i)
			if i == last && early != nil {
				return l.rest(m.hidden, early(x), early(attended))
			}
			return m.stack.Through(i, x, l.rest(m.hidden, x, attended))
		}, x)
	}
	x = m.norm.Forward(x)
	if pick != nil && early == nil {
		x = pick(x)
	}
	return x
}

// attend is the first half of a layer up to the heads' outputs, [rows, tokens, heads·size]. The cache holds keys that
// are turned to their positions already.
func (l *llamaLayer) attend(x, mask *torch.Tensor, turn rotation, s *torch.Scope, cache *Cache, i int) *torch.Tensor {
	n := l.norm1.Forward(x)
	key := turn.of(l.attention.SplitKeys(l.key.Forward(n))).Transpose(1, 2).Flatten(2, 3)
	if l.attention.Keys.Origin != nil {
		turn = rotation{cos: l.attention.Shared(turn.cos), sin: l.attention.Shared(turn.sin)}
	}
	q := turn.of(l.attention.SplitQueries(l.query.Forward(n)))
	k, v := cache.extend(s, i, key, l.value.Forward(n))
	a := l.attention
	return a.Attend(q, a.Shared(a.SplitKeys(k)), a.Shared(a.SplitKeys(v)), mask, l.scale)
}

// rest is what follows in a layer for each token by itself.
func (l *llamaLayer) rest(hidden *nn.Axis, x, attended *torch.Tensor) *torch.Tensor {
	x = x.Add(hidden.Gated(l.output.Forward(attended)))
	return x.Add(hidden.Gated(l.mlp.Forward(l.norm2.Forward(x))))
}

// Head maps hidden states [..., hidden] to logits [..., vocabulary].
func (m *Llama) Head(x *torch.Tensor) *torch.Tensor {
	return x.Linear(m.headWeight().T(), nil)
}

func (m *Llama) firstWeight() *nn.Param { return m.layers[0].query.W }

func (m *Llama) headWeight() *nn.Param {
	if m.head != nil {
		return m.head.W
	}
	return m.embed.W
}
