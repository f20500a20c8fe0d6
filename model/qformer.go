package model

import (
	"fmt"
	"math"

	"espalier/torch"
	"espalier/torch/nn"
)

// QFormer reads the picture's tokens with a fixed number of learned queries. Its norms come after each part.
// InstructBLIP's reads the question beside them: queries and words look at each other, and each kind has its own
// feed-forward network.
type QFormer struct {
	hidden, queries, stack *nn.Axis
	tokens                 *nn.Param
	words, places          *nn.Embedding // of the question; nil without one
	positions              int           // rows of places
	norm                   *nn.LayerNorm
	layers                 []*qformerLayer
}

type qformerLayer struct {
	self, cross *qformerAttention // cross is nil in layers without cross-attention
	query, text qformerOutput     // text is empty without a question
}

// qformerOutput is the feed-forward part of a layer with the norm after it.
type qformerOutput struct {
	mlp  feedForward
	norm *nn.LayerNorm
}

type qformerAttention struct {
	dims                      *nn.Attention
	query, key, value, output *nn.Linear
	norm                      *nn.LayerNorm
	scale                     float64
}

func newQFormer(b *nn.Builder, c QFormerConfig, queries int, instruct bool, vision *nn.Axis) *QFormer {
	b = b.Tower("qformer", "qformer")
	q := b.Sub("qformer")
	hidden := q.Axis("hidden", nn.Hidden, c.Hidden)
	f := &QFormer{hidden: hidden, queries: q.Axis("queries", nn.Queries, queries), stack: q.Stack("encoder.layer", c.Layers)}
	f.tokens = b.Param("query_tokens", nn.Normal(.02), nn.Fixed(1), f.queries.Dim(), hidden.Dim())
	if instruct {
		e := q.Sub("embeddings")
		f.positions = c.Positions
		f.words = e.Embedding("word_embeddings", nn.Fixed(c.Vocabulary), hidden.Dim(), embeddingInit)
		f.places = e.Embedding("position_embeddings", nn.Fixed(c.Positions), hidden.Dim(), embeddingInit)
		f.norm = e.LayerNorm("layernorm", hidden, c.Eps)
	} else {
		f.norm = q.LayerNorm("layernorm", hidden, c.Eps)
	}
	for i := range f.stack.Units() {
		l := newQFormerLayer(q.Layer(f.stack, i), i, hidden, vision, instruct, c)
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

func newQFormerLayer(b *nn.Builder, i int, hidden, vision *nn.Axis, instruct bool, c QFormerConfig) *qformerLayer {
	l := &qformerLayer{self: newQFormerAttention(b, "attention", hidden, hidden, c, weightInit)}
	if b.Flag("has_cross", i%c.CrossEvery == 0) {
		l.cross = newQFormerAttention(b, "crossattention", hidden, vision, c, routingInit)
	}
	output := func(axis, in, out string) qformerOutput {
		return qformerOutput{
			mlp:  newFeedForward(b, axis, in+".dense", out+".dense", hidden, c.Intermediate, c.Activation, true),
			norm: b.LayerNorm(out+".LayerNorm", hidden, c.Eps),
		}
	}
	l.query = output("ffn", "intermediate_query", "output_query")
	if instruct {
		l.text = output("ffn_text", "intermediate", "output")
	}
	return l
}

func newQFormerAttention(b *nn.Builder, name string, hidden, source *nn.Axis, c QFormerConfig, routing nn.Init) *qformerAttention {
	scale := b.Number(name+"_scale", attentionScale(c.HeadSize))
	b = b.Sub(name)
	dims := b.Attention(b.Axis("heads", nn.Heads, c.Heads), "", c.HeadSize)
	return &qformerAttention{
		dims:   dims,
		scale:  scale,
		query:  b.Linear("attention.query", dims.Query(), hidden.Dim(), routing),
		key:    b.Linear("attention.key", dims.Key(), source.Dim(), routing),
		value:  b.Linear("attention.value", dims.Value(), source.Dim(), weightInit),
		output: b.Linear("output.dense", hidden.Dim(), dims.Output(), weightInit),
		norm:   b.LayerNorm("output.LayerNorm", hidden, c.Eps),
	}
}

// Forward maps the picture's tokens [rows, tokens, vision hidden] to [rows, queries, hidden]. With a question, ids and
// mask [rows, words], they become [rows, queries + words, hidden].
func (f *QFormer) Forward(picture, ids, mask *torch.Tensor) *torch.Tensor {
	var x *torch.Tensor
	if ids == nil {
		x = f.norm.Forward(f.tokens.T())
		if !f.alike() {
			x = x.ExpandFirst(picture)
		}
	} else {
		x = f.norm.Forward(torch.Cat(1, f.tokens.T().ExpandFirst(picture), f.question(ids)))
	}
	seen := f.keyMask(mask)
	for i, l := range f.layers {
		x = torch.Inner(func(_ *torch.Scope, in []*torch.Tensor) *torch.Tensor {
			return f.stack.Through(i, in[0], l.forward(in[0], in[1], seen, f.queries.Units()))
		}, x, picture)
	}
	return x
}

// alike tells whether the queries are the same for all pictures until they look at one: then they are computed once. Gates and observers work on
// all rows.
func (f *QFormer) alike() bool {
	l := f.layers[0]
	return l.cross != nil && !f.hidden.Watched() && !f.stack.Watched() && !l.self.dims.Watched() && !l.cross.dims.Watched()
}

// question embeds its words, [rows, words, hidden].
func (f *QFormer) question(ids *torch.Tensor) *torch.Tensor {
	n := ids.Size(1)
	if n > f.positions {
		panic(&torch.Error{Op: "positions", Kind: torch.KindIndex, Message: fmt.Sprintf(
			"a question of %d tokens is longer than the Q-Former's %d positions; shorten it", n, f.positions)})
	}
	return f.words.Forward(ids).Add(f.places.Forward(ids.Places(1)))
}

// keyMask is which tokens the others look at, bool [rows or 1, 1, 1, queries + words]: not the queries whose gate is 0,
// not the question's padding. nil hides none.
func (f *QFormer) keyMask(words *torch.Tensor) *torch.Tensor {
	queries := f.shown()
	if words == nil {
		if queries == nil {
			return nil
		}
		return queries.Reshape(1, 1, 1, -1)
	}
	if queries == nil {
		queries = torch.Ones([]int{f.queries.Units()}, torch.Bool, words.Device())
	}
	queries = queries.Unsqueeze(0)
	return torch.Cat(1, queries.ExpandFirst(words), words).Unsqueeze(1).Unsqueeze(1)
}

// shown is which queries the others and the language model look at, bool [queries]: those whose gate is not 0. nil is all of
// them, also under a gate for each row, which has a slope but hides none.
func (f *QFormer) shown() *torch.Tensor {
	if gate := f.queries.Gate; gate != nil && gate.Rank() == 1 {
		return gate.GtScalar(0)
	}
	return nil
}

// faded multiplies each query's output, x [rows, queries, hidden], by its gate: the gate point that a score takes the slope of.
func (f *QFormer) faded(x *torch.Tensor) *torch.Tensor {
	if f.queries.Gate == nil {
		return x
	}
	return x.Mul(f.queries.Gate.Unsqueeze(-1)).To(x.DType())
}

func (l *qformerLayer) forward(x, picture, mask *torch.Tensor, queries int) *torch.Tensor {
	x = l.self.forward(x, nil, mask)
	if l.text.norm == nil {
		return l.query.forward(l.look(x, picture))
	}
	words := l.text.forward(x.Slice(1, queries, math.MaxInt))
	return torch.Cat(1, l.query.forward(l.look(x.Slice(1, 0, queries), picture)), words)
}

// look is the cross-attention of the queries to the picture, in layers that have it.
func (l *qformerLayer) look(x, picture *torch.Tensor) *torch.Tensor {
	if l.cross == nil {
		return x
	}
	return l.cross.forward(x, picture, nil)
}

func (o qformerOutput) forward(x *torch.Tensor) *torch.Tensor {
	return o.norm.Forward(x.Add(o.mlp.Forward(x)))
}

// forward attends from x to a source, nil for x itself. One row of x may stand for all of the source's.
func (a *qformerAttention) forward(x, source, mask *torch.Tensor) *torch.Tensor {
	var attended *torch.Tensor
	if source == nil {
		attended = a.dims.AttendProjected(x, a.query, a.key, a.value, mask, a.scale)
	} else {
		q := a.dims.SplitQueries(a.query.Forward(x))
		if x.Size(0) == 1 {
			q = q.ExpandFirst(source)
		}
		k := a.dims.SplitKeys(a.key.Forward(source))
		v := a.dims.SplitKeys(a.value.Forward(source))
		attended = a.dims.Attend(q, k, v, mask, a.scale)
	}
	return a.norm.Forward(x.Add(a.output.Forward(attended)))
}
