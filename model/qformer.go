package model

import (
	"espalier/torch"
	"espalier/torch/nn"
)

// QFormer reads the picture's tokens with a fixed number of learned queries. Its norms come after each part.
type QFormer struct {
	hidden, queries, stack *nn.Axis
	tokens                 *nn.Param
	norm                   *nn.LayerNorm
	layers                 []*qformerLayer
}

type qformerLayer struct {
	self, cross *qformerAttention // cross is nil in layers without cross-attention
	mlp         feedForward
	norm        *nn.LayerNorm
}

type qformerAttention struct {
	heads                     *nn.Axis
	query, key, value, output *nn.Linear
	norm                      *nn.LayerNorm
	scale                     float64
}

func newQFormer(b *nn.Builder, c QFormerConfig, queries int, vision *nn.Axis) *QFormer {
	b = b.Tower("qformer", "qformer")
	q := b.Sub("qformer")
	hidden := q.Axis("hidden", nn.Hidden, c.Hidden)
	f := &QFormer{hidden: hidden, queries: q.Axis("queries", nn.Queries, queries), stack: q.Stack("encoder.layer", c.Layers)}
	f.tokens = b.Param("query_tokens", nn.Normal(.02), nn.Fixed(1), f.queries.Dim(), hidden.Dim())
	f.norm = q.LayerNorm("layernorm", hidden, c.Eps)
	for i := range f.stack.Units() {
		l := newQFormerLayer(q.Layer(f.stack, i), i, hidden, vision, c)
		// A layer with cross-attention has more parameters: ranked against the others it would always stay.
		if l.cross == nil {
			f.stack.SetGroup(i, 1)
		} else {
			f.stack.SetGroup(i, 0)
		}
		f.layers = append(f.layers, l)
	}
	return f
}

func newQFormerLayer(b *nn.Builder, i int, hidden, vision *nn.Axis, c QFormerConfig) *qformerLayer {
	l := &qformerLayer{self: newQFormerAttention(b, "attention", hidden, hidden, c, weightInit)}
	if b.Flag("has_cross", i%c.CrossEvery == 0) {
		l.cross = newQFormerAttention(b, "crossattention", hidden, vision, c, routingInit)
	}
	l.mlp = newFeedForward(b, "intermediate_query.dense", "output_query.dense", hidden, c.Intermediate, c.Activation)
	l.norm = b.LayerNorm("output_query.LayerNorm", hidden, c.Eps)
	return l
}

func newQFormerAttention(b *nn.Builder, name string, hidden, source *nn.Axis, c QFormerConfig, routing nn.Init) *qformerAttention {
	scale := b.Number(name+"_scale", attentionScale(c.HeadSize))
	b = b.Sub(name)
	heads := b.Axis("heads", nn.Heads, c.Heads).Blocks(c.HeadSize)
	return &qformerAttention{
		heads:  heads,
		scale:  scale,
		query:  b.Linear("attention.query", heads.Dim(), hidden.Dim(), routing),
		key:    b.Linear("attention.key", heads.Dim(), source.Dim(), routing),
		value:  b.Linear("attention.value", heads.Dim(), source.Dim(), weightInit),
		output: b.Linear("output.dense", hidden.Dim(), heads.Dim(), weightInit),
		norm:   b.LayerNorm("output.LayerNorm", hidden, c.Eps),
	}
}

// Forward maps the picture's tokens [batch, tokens, vision hidden] to [batch, queries, hidden].
func (f *QFormer) Forward(picture *torch.Tensor) *torch.Tensor {
	x := f.norm.Forward(f.tokens.T()).ExpandFirst(picture)
	mask := f.keyMask()
	for i, l := range f.layers {
		x = torch.Inner(func(*torch.Scope) *torch.Tensor { return f.stack.Through(i, x, l.forward(x, picture, mask)) })
	}
	return x
}

// keyMask hides the queries whose gate is 0 from the others, [1, 1, 1, queries]; nil without a gate.
func (f *QFormer) keyMask() *torch.Tensor {
	if f.queries.Gate == nil {
		return nil
	}
	return f.queries.Gate.GtScalar(0).Reshape(1, 1, 1, -1)
}

func (l *qformerLayer) forward(x, picture, mask *torch.Tensor) *torch.Tensor {
	x = l.self.forward(x, x, mask)
	if l.cross != nil {
		x = l.cross.forward(x, picture, nil)
	}
	return l.norm.Forward(x.Add(l.mlp.Forward(x)))
}

func (a *qformerAttention) forward(x, source, mask *torch.Tensor) *torch.Tensor {
	q := a.heads.SplitHeads(a.query.Forward(x))
	k := a.heads.SplitHeads(a.key.Forward(source))
	v := a.heads.SplitHeads(a.value.Forward(source))
	return a.norm.Forward(x.Add(a.output.Forward(a.heads.Attend(q, k, v, mask, a.scale))))
}
