package model

import (
	"fmt"

	"espalier/torch"
	"espalier/torch/nn"
)

// OPT is the language model: a decoder with norms before each part, learned positions and a tied output head.
type OPT struct {
	hidden, vocabulary, stack *nn.Axis
	embed                     *nn.Embedding
	positions                 *nn.Embedding
	layers                    []*optLayer
	norm                      *nn.LayerNorm
	offset, rows              int
}

type optLayer struct {
	heads                     *nn.Axis
	query, key, value, output *nn.Linear
	norm1, norm2              *nn.LayerNorm
	mlp                       feedForward
	scale                     float64
}

// Cache keeps the keys and values [batch, heads, tokens, head size] of each layer for the tokens that follow.
type Cache struct{ keys, values []*torch.Tensor }

func newOPT(b *nn.Builder, c TextConfig) *OPT {
	b = b.Tower("language", "embeddings").Sub("language_model")
	hidden := b.Axis("hidden", nn.Hidden, c.Hidden)
	vocabulary := b.Axis("vocabulary", nn.Vocabulary, c.Vocabulary)
	d := b.Sub("model.decoder")
	rows := c.Positions + c.offset()
	m := &OPT{
		hidden: hidden, vocabulary: vocabulary, offset: c.offset(), rows: rows,
		embed:     d.Embedding("embed_tokens", vocabulary.Dim(), hidden.Dim(), embeddingInit),
		positions: d.Embedding("embed_positions", nn.Fixed(rows), hidden.Dim(), embeddingInit),
		norm:      d.LayerNorm("final_layer_norm", hidden, c.Eps),
		stack:     d.Stack("layers", c.Layers),
	}
	for i := range m.stack.Units() {
		m.layers = append(m.layers, newOPTLayer(d.Part("language_blocks").Layer(m.stack, i), hidden, c))
	}
	return m
}

func newOPTLayer(b *nn.Builder, hidden *nn.Axis, c TextConfig) *optLayer {
	heads := b.Axis("heads", nn.Heads, c.Heads).Blocks(c.HeadSize)
	return &optLayer{
		heads:  heads,
		scale:  b.Number("attention_scale", attentionScale(c.HeadSize)),
		norm1:  b.LayerNorm("self_attn_layer_norm", hidden, c.Eps),
		query:  b.Linear("self_attn.q_proj", heads.Dim(), hidden.Dim(), weightInit),
		key:    b.Linear("self_attn.k_proj", heads.Dim(), hidden.Dim(), weightInit),
		value:  b.Linear("self_attn.v_proj", heads.Dim(), hidden.Dim(), weightInit),
		output: b.Linear("self_attn.out_proj", hidden.Dim(), heads.Dim(), weightInit),
		norm2:  b.LayerNorm("final_layer_norm", hidden, c.Eps), // OPT's name for the norm before the FFN
		mlp:    newFeedForward(b, "fc1", "fc2", hidden, c.Intermediate, c.Activation),
	}
}

// checkPositions panics when a sequence is longer than the table of positions.
func (m *OPT) checkPositions(tokens int) {
	if limit := m.rows - m.offset; tokens > limit {
		panic(&torch.Error{Op: "positions", Kind: torch.KindIndex, Message: fmt.Sprintf(
			"a sequence of %d tokens (picture, question and answer) is longer than the language model's %d positions; "+
				"shorten the questions or raise max_position_embeddings", tokens, limit)})
	}
}

// Forward maps embeddings [batch, tokens, hidden] with position ids [batch or 1, tokens] to normed hidden states
// [batch, tokens, hidden]. The mask is added to the attention scores, [batch or 1, 1, tokens, keys], nil hides nothing.
// With a cache the keys are those of the cached tokens, then these; the cache takes these up.
func (m *OPT) Forward(embeds, positions, mask *torch.Tensor, cache *Cache) *torch.Tensor {
	x := m.hidden.Gated(embeds.Add(m.positions.Forward(positions.AddScalar(float64(m.offset)))))
	for i, l := range m.layers {
		x = torch.Inner(func(s *torch.Scope) *torch.Tensor {
			return m.stack.Through(i, x, l.forward(m.hidden, x, mask, s, cache, i))
		})
	}
	return m.norm.Forward(x)
}

func (l *optLayer) forward(hidden *nn.Axis, x, mask *torch.Tensor, s *torch.Scope, cache *Cache, i int) *torch.Tensor {
	n := l.norm1.Forward(x)
	q := l.heads.SplitHeads(l.query.Forward(n))
	k, v := cache.extend(s, i, l.heads.SplitHeads(l.key.Forward(n)), l.heads.SplitHeads(l.value.Forward(n)))
	attended := l.heads.Attend(q, k, v, mask, l.scale)
	x = x.Add(hidden.Gated(l.output.Forward(attended)))
	return x.Add(hidden.Gated(l.mlp.Forward(l.norm2.Forward(x))))
}

// extend appends the keys and values of new tokens and returns those of all; without a cache they are all.
func (c *Cache) extend(s *torch.Scope, layer int, k, v *torch.Tensor) (keys, values *torch.Tensor) {
	if c == nil {
		return k, v
	}
	if layer == len(c.keys) {
		c.keys, c.values = append(c.keys, k), append(c.values, v)
	} else {
		oldK, oldV := c.keys[layer], c.values[layer]
		k, v = torch.Cat(2, oldK, k), torch.Cat(2, oldV, v)
		c.keys[layer], c.values[layer] = k, v
		oldK.Free()
		oldV.Free()
	}
	s.Keep(k, v)
	return k, v
}

// Head maps hidden states [..., hidden] to logits [..., vocabulary] with the token embeddings.
func (m *OPT) Head(x *torch.Tensor) *torch.Tensor { return x.Linear(m.embed.W.T(), nil) }
