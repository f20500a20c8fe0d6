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

// Forward maps embeddings [batch, tokens, hidden] with position ids [batch or 1, tokens] to normed hidden states. The
// mask is added to the attention scores, [batch or 1, 1, tokens, keys], nil hides nothing. With a cache the keys are
// those of the cached tokens, then these; the cache takes these up.
//
// pick chooses, of states [batch, tokens, width], those that are asked for, [n, width]; nil takes all. The last layer
// then computes only them: what other tokens become there is read by nobody.
func (m *OPT) Forward(embeds, positions, mask *torch.Tensor, cache *Cache, pick func(*torch.Tensor) *torch.Tensor) *torch.Tensor {
	x := m.hidden.Gated(embeds.Add(m.positions.Forward(positions.AddScalar(float64(m.offset)))))
	last, early := len(m.layers)-1, pick
	if m.watched() {
		early = nil // gates and observers work on [batch, tokens, width]
	}
	for i, l := range m.layers {
		x = torch.Inner(func(s *torch.Scope) *torch.Tensor {
			attended := l.attend(x, mask, s, cache, i)
			if i == last && early != nil {
				return l.rest(m.hidden, early(x), early(attended))
			}
			return m.stack.Through(i, x, l.rest(m.hidden, x, attended))
		})
	}
	x = m.norm.Forward(x)
	if pick != nil && early == nil {
		x = pick(x)
	}
	return x
}

// watched tells whether a gate or an observer sits where the last layer would meet it.
func (m *OPT) watched() bool {
	l := m.layers[len(m.layers)-1]
	return m.hidden.Gate != nil || m.stack.Gate != nil || m.stack.Observe != nil || l.heads.Gate != nil || l.mlp.ffn.Gate != nil
}

// attend is the first half of a layer up to the heads' outputs, [batch, tokens, heads·size].
func (l *optLayer) attend(x, mask *torch.Tensor, s *torch.Scope, cache *Cache, i int) *torch.Tensor {
	n := l.norm1.Forward(x)
	q := l.heads.SplitHeads(l.query.Forward(n))
	k, v := cache.extend(s, i, l.key.Forward(n), l.value.Forward(n))
	return l.heads.Attend(q, l.heads.SplitHeads(k), l.heads.SplitHeads(v), mask, l.scale)
}

// rest is what follows in a layer for each token by itself.
func (l *optLayer) rest(hidden *nn.Axis, x, attended *torch.Tensor) *torch.Tensor {
	x = x.Add(hidden.Gated(l.output.Forward(attended)))
	return x.Add(hidden.Gated(l.mlp.Forward(l.norm2.Forward(x))))
}

// Head maps hidden states [..., hidden] to logits [..., vocabulary] with the token embeddings.
func (m *OPT) Head(x *torch.Tensor) *torch.Tensor { return x.Linear(m.embed.W.T(), nil) }
