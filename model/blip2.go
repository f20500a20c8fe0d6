package model

import (
	"math"

	"espalier/torch"
	"espalier/torch/nn"
)

// Blip2 is visual encoder → Q-Former → projection → language model.
type Blip2 struct {
	config     *Config
	omitted    []nn.Omission
	store      *nn.Store
	vision     *Vision
	qformer    *QFormer
	projection *nn.Linear
	language   *OPT
}

// New declares the network of a config, with the sizes of its structure when it was pruned. The parameters have no
// values yet. Omissions are faults to inject, for tests of the declaration.
func New(c *Config, omitted ...nn.Omission) (*Blip2, error) {
	m := &Blip2{config: c, omitted: omitted}
	store, err := nn.Declare(c.Structure, func(b *nn.Builder) {
		m.vision = newVision(b, c.Vision)
		m.qformer = newQFormer(b, c.QFormer, c.Queries, m.vision.hidden)
		m.language = newOPT(b, c.Text)
		m.projection = b.Tower("qformer", "projection").
			Linear("language_projection", m.language.hidden.Dim(), m.qformer.hidden.Dim(), nn.FanIn(1))
	}, omitted...)
	m.store = store
	return m, err
}

// Store holds the parameters and axes.
func (m *Blip2) Store() *nn.Store { return m.store }

// Config describes the original's sizes.
func (m *Blip2) Config() *Config { return m.config }

// Rebuild declares the network with other sizes.
func (m *Blip2) Rebuild(s nn.Structure) (Network, error) {
	c := *m.config
	c.Structure = &s
	return New(&c, m.omitted...)
}

// Prefix maps normalised pictures [batch, 3, size, size] to the language model's view of them, [batch, queries, hidden].
func (m *Blip2) Prefix(pictures *torch.Tensor) *torch.Tensor {
	return m.Project(m.QFormer(m.Vision(pictures)))
}

// Vision maps normalised pictures to tokens [batch, 1 + patches, vision hidden].
func (m *Blip2) Vision(pictures *torch.Tensor) *torch.Tensor { return m.vision.Forward(pictures) }

// QFormer maps the picture's tokens to [batch, queries, qformer hidden].
func (m *Blip2) QFormer(tokens *torch.Tensor) *torch.Tensor { return m.qformer.Forward(tokens) }

// Project maps the Q-Former's output to [batch, queries, language hidden].
func (m *Blip2) Project(queries *torch.Tensor) *torch.Tensor { return m.projection.Forward(queries) }

// Logits are [n, vocabulary] for the scored positions of a batch.
func (m *Blip2) Logits(b *Batch) *torch.Tensor { return m.Head(m.Hidden(b)) }

// Head maps hidden states to logits with the token embeddings.
func (m *Blip2) Head(hidden *torch.Tensor) *torch.Tensor { return m.language.Head(hidden) }

// Hidden are the normed states [n, hidden] at the scored positions of a batch.
func (m *Blip2) Hidden(b *Batch) *torch.Tensor { return m.HiddenAfter(m.Prefix(b.Pictures), b) }

// HiddenAfter is Hidden for a prefix that is computed already, [batch, queries, hidden].
func (m *Blip2) HiddenAfter(prefix *torch.Tensor, b *Batch) *torch.Tensor {
	return m.run(prefix, b, nil)
}

// run is the language model over prefix and packed text, at the scored positions, [n, hidden].
func (m *Blip2) run(prefix *torch.Tensor, b *Batch, cache *Cache) *torch.Tensor {
	queries := m.qformer.queries.Units()
	m.language.checkPositions(queries + b.LongestSegment)
	embeds := torch.Cat(1, prefix, m.language.embed.Forward(b.IDs).To(prefix.DType()))
	scored := func(x *torch.Tensor) *torch.Tensor {
		return x.Slice(1, queries, math.MaxInt).Flatten(0, 1).IndexSelect(0, b.Rows)
	}
	positions := m.positions(b)
	return m.language.Forward(embeds, positions, m.mask(prefix.DType(), positions, b), cache, scored)
}

// positions of prefix and text, [batch or 1, tokens]. Queries that a gate hides take up no position, as in the network
// without them.
func (m *Blip2) positions(b *Batch) *torch.Tensor {
	n := m.qformer.queries.Units()
	on := b.Positions.Device()
	if gate := m.qformer.queries.Gate; gate != nil {
		seen := gate.GtScalar(0).To(torch.Int64)
		prefix := seen.CumSum(0).AddScalar(-1).ClampMin(0).Unsqueeze(0)
		return torch.Cat(1, prefix.ExpandFirst(b.Positions), b.Positions.Add(seen.Sum()))
	}
	prefix := torch.Arange(0, n, on).Unsqueeze(0)
	return torch.Cat(1, prefix.ExpandFirst(b.Positions), b.Positions.AddScalar(float64(n)))
}

// mask lets each token see the prefix and its own segment up to its own position: the questions of a picture share its
// prefix in one sequence and are computed exactly as if each stood alone. [batch or 1, 1, tokens, tokens], added to
// the scores.
func (m *Blip2) mask(d torch.DType, positions *torch.Tensor, b *Batch) *torch.Tensor {
	on := b.Segments.Device()
	shared := torch.Full([]int{1, m.qformer.queries.Units()}, prefixSegment, torch.Int64, on)
	own := torch.Cat(1, shared.ExpandFirst(b.Segments), b.Segments)
	key := own
	if gate := m.qformer.queries.Gate; gate != nil {
		shared = torch.Where(gate.GtScalar(0).Unsqueeze(0), shared, torch.Full([]int{1}, hiddenSegment, torch.Int64, on))
		key = torch.Cat(1, shared.ExpandFirst(b.Segments), b.Segments)
	}
	key = key.Unsqueeze(1)
	seen := key.Eq(own.Unsqueeze(2)).Or(key.EqScalar(prefixSegment)).And(positions.Unsqueeze(1).Le(positions.Unsqueeze(2)))
	return torch.Zeros(nil, d, on).MaskedFill(seen.Not(), minusInfinity).Unsqueeze(1)
}
