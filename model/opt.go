package model

import (
	"fmt"

	"espalier/torch"
	"espalier/torch/nn"
)

// OPT is a decoder with learned positions. Its norms come before each part, in one old size after it; the token
// embeddings may have a width of their own, with projections in and out.
type OPT struct {
	hidden, embedding, vocabulary, stack *nn.Axis // embedding is hidden where the widths are the same
	embed, positions                     *nn.Embedding
	in, out                              *nn.Linear // nil where they are not needed
	head                                 *nn.Linear // nil where the embeddings are the head
	layers                               []*optLayer
	norm                                 *nn.LayerNorm // nil in the form with norms after each part
	offset, rows                         int
}

type optLayer struct {
	attention                 *nn.Attention
	query, key, value, output *nn.Linear
	norm1, norm2              *nn.LayerNorm
	mlp                       feedForward
	scale                     float64
	normAfter                 bool
}

func newOPT(b *nn.Builder, c TextConfig) *OPT {
	hidden := b.Axis("hidden", nn.Hidden, c.Hidden)
	vocabulary := b.Axis("vocabulary", nn.Vocabulary, c.Vocabulary)
	embedding := hidden
	if c.Embedding != c.Hidden {
		embedding = b.Axis("embedding", nn.Embeddings, c.Embedding)
	}
	d := b.Sub("model.decoder")
	rows := c.Positions + c.offset()
	m := &OPT{
		hidden: hidden, embedding: embedding, vocabulary: vocabulary, offset: c.offset(), rows: rows,
		embed:     d.Embedding("embed_tokens", vocabulary.Dim(), embedding.Dim(), embeddingInit),
		positions: d.Embedding("embed_positions", nn.Fixed(rows), hidden.Dim(), embeddingInit),
		stack:     d.Stack("layers", c.Layers),
	}
	if c.normBefore() && !c.NoFinalNorm {
		m.norm = d.LayerNorm("final_layer_norm", hidden, c.Eps)
	}
	if embedding != hidden {
		m.in = d.LinearNoBias("project_in", hidden.Dim(), embedding.Dim(), weightInit)
		m.out = d.LinearNoBias("project_out", embedding.Dim(), hidden.Dim(), weightInit)
	}
	if !c.tied() {
		m.head = b.LinearNoBias("lm_head", vocabulary.Dim(), embedding.Dim(), weightInit)
	}
	for i := range m.stack.Units() {
		m.layers = append(m.layers, newOPTLayer(d.Part("language_blocks").Layer(m.stack, i), hidden, c))
	}
	return m
}

func newOPTLayer(b *nn.Builder, hidden *nn.Axis, c TextConfig) *optLayer {
	attention := b.Attention(b.Axis("heads", nn.Heads, c.Heads), "", c.HeadSize)
	return &optLayer{
		attention: attention,
		normAfter: !c.normBefore(),
		scale:     b.Number("attention_scale", attentionScale(c.HeadSize)),
		norm1:     b.LayerNorm("self_attn_layer_norm", hidden, c.Eps),
		query:     b.LinearIf(!c.NoBias, "self_attn.q_proj", attention.Query(), hidden.Dim(), weightInit),
		key:       b.LinearIf(!c.NoBias, "self_attn.k_proj", attention.Key(), hidden.Dim(), weightInit),
		value:     b.LinearIf(!c.NoBias, "self_attn.v_proj", attention.Value(), hidden.Dim(), weightInit),
		output:    b.LinearIf(!c.NoBias, "self_attn.out_proj", hidden.Dim(), attention.Output(), weightInit),
		norm2:     b.LayerNorm("final_layer_norm", hidden, c.Eps), // OPT's name for the norm of the FFN
		mlp:       newFeedForward(b, "ffn", "fc1", "fc2", hidden, c.Intermediate, c.Activation, !c.NoBias),
	}
}

func (m *OPT) width() *nn.Axis { return m.embedding }

// Embed maps token ids [...] to [..., width of the embeddings].
func (m *OPT) Embed(ids *torch.Tensor) *torch.Tensor { return m.embed.Forward(ids) }

// checkPositions panics when a sequence is longer than the table of positions.
func (m *OPT) checkPositions(tokens int) {
	if limit := m.rows - m.offset; tokens > limit {
		panic(&torch.Error{Op: "positions", Kind: torch.KindIndex, Message: fmt.Sprintf(
			"a sequence of %d tokens (picture, question and answer) is longer than the language model's %d positions; "+
				"shorten the questions or raise max_position_embeddings", tokens, limit)})
	}
}

// Forward is that of every language model. The last layer computes only what pick asks for: what other tokens become
// there is read by nobody.
func (m *OPT) Forward(embeds, positions, mask *torch.Tensor, cache *Cache, pick func(*torch.Tensor) *torch.Tensor) *torch.Tensor {
	if m.in != nil {
		embeds = m.in.Forward(m.embedding.Gated(embeds))
	}
	x := m.hidden.Gated(embeds.Add(m.positions.Forward(positions.AddScalar(float64(m.offset)))))
	last, early := len(m.layers)-1, pick
	if m.watched() {
		early = nil // gates and observers work on [rows, tokens, width]
	}
	for i, l := range m.layers {
		x = torch.Inner(func(s *torch.Scope, in []*torch.Tensor) *torch.Tensor {
			x := in[0]
			attended := l.attend(x, mask, s, cache, i)
			if i == last && early != nil {
				return l.rest(m.hidden, early(x), early(attended))
			}
			return m.stack.Through(i, x, l.rest(m.hidden, x, attended))
		}, x)
	}
	if m.norm != nil {
		x = m.norm.Forward(x)
	}
	if m.out != nil {
		x = m.embedding.Gated(m.out.Forward(x))
	}
	if pick != nil && early == nil {
		x = pick(x)
	}
	return x
}

// watched tells whether a gate or an observer sits where the last layer would meet it.
func (m *OPT) watched() bool {
	l := m.layers[len(m.layers)-1]
	return watched(m.hidden, m.stack, l.attention, l.mlp.ffn) || m.embedding.Watched()
}

// attend is the first half of a layer up to the heads' outputs, [rows, tokens, heads·size].
func (l *optLayer) attend(x, mask *torch.Tensor, s *torch.Scope, cache *Cache, i int) *torch.Tensor {
	n := x
	if !l.normAfter {
		n = l.norm1.Forward(x)
	}
	if !cache.keeps() {
		return l.attention.AttendProjected(n, l.query, l.key, l.value, mask, l.scale)
	}
	q := l.attention.SplitQueries(l.query.Forward(n))
	k, v := cache.extend(s, i, l.key.Forward(n), l.value.Forward(n))
	return l.attention.Attend(q, l.attention.SplitKeys(k), l.attention.SplitKeys(v), mask, l.scale)
}

// rest is what follows in a layer for each token by itself.
func (l *optLayer) rest(hidden *nn.Axis, x, attended *torch.Tensor) *torch.Tensor {
	x = x.Add(hidden.Gated(l.output.Forward(attended)))
	if l.normAfter {
		x = l.norm1.Forward(x)
		return l.norm2.Forward(x.Add(hidden.Gated(l.mlp.Forward(x))))
	}
	return x.Add(hidden.Gated(l.mlp.Forward(l.norm2.Forward(x))))
}

// Head maps hidden states [..., width] to logits [..., vocabulary].
func (m *OPT) Head(x *torch.Tensor) *torch.Tensor {
	return x.Linear(m.headWeight().T(), nil)
}

func (m *OPT) firstWeight() *nn.Param { return m.layers[0].query.W }

func (m *OPT) headWeight() *nn.Param {
	if m.head != nil {
		return m.head.W
	}
	return m.embed.W
}
