package model

import (
	"math"
	"strings"

	"espalier/torch"
	"espalier/torch/nn"
)

// Blip2 is visual encoder → Q-Former → projection → language model, in the forms of BLIP-2 and InstructBLIP, or a decoder alone.
type Blip2 struct {
	config     *Config
	omitted    []nn.Omission
	store      *nn.Store
	vision     *Vision // nil of a decoder alone, as are the next two
	qformer    *QFormer
	projection *nn.Linear
	language   languageModel
	notes      []string
	lean       lean
}

// languageModel is what stands behind the projection.
type languageModel interface {
	// width is the axis of its residual stream, which the projection writes.
	width() *nn.Axis
	// Embed maps token ids [...] to [..., width].
	Embed(ids *torch.Tensor) *torch.Tensor
	// Forward maps embeddings [rows, tokens, width] with position ids [rows or 1, tokens] to normed states. The mask is
	// added to the attention scores, [rows or 1, 1, tokens, keys], nil hides nothing. With a cache the keys are those of
	// the cached tokens, then these; the cache takes these up.
	//
	// pick chooses, of states [rows, tokens, width], those that are asked for, [n, width]; nil takes all.
	Forward(embeds, positions, mask *torch.Tensor, cache *Cache, pick func(*torch.Tensor) *torch.Tensor) *torch.Tensor
	// Head maps states [..., width] to logits [..., vocabulary]; it reads headWeight alone.
	Head(states *torch.Tensor) *torch.Tensor
	headWeight() *nn.Param
	// firstWeight is what reads the embeddings: they come in its dtype.
	firstWeight() *nn.Param
	// checkPositions panics when a sequence is longer than the model can place.
	checkPositions(tokens int)
}

// New declares the network of a config, with the sizes of its structure when it was pruned. The parameters have no
// values yet. Omissions are faults to inject, for tests of the declaration.
func New(c *Config, omitted ...nn.Omission) (*Blip2, error) {
	m := &Blip2{config: c, omitted: omitted}
	store, err := nn.Declare(c.Structure, func(b *nn.Builder) {
		if c.Towers() {
			m.vision = newVision(b, c.Vision)
			m.qformer = newQFormer(b, c.QFormer, c.Queries, c.Instruct(), m.vision.hidden)
		}
		m.language = newLanguageModel(b.Tower("language", "embeddings"), c)
		if !c.Towers() {
			return
		}
		m.projection = b.Tower("qformer", "projection").
			Linear("language_projection", m.language.width().Dim(), m.qformer.hidden.Dim(), nn.FanIn(1))
	}, omitted...)
	m.store = store
	if err == nil {
		store.OnFree(m.lean.free)
	}
	return m, err
}

func newLanguageModel(b *nn.Builder, c *Config) languageModel {
	if c.Towers() {
		b = b.Sub(strings.TrimSuffix(languagePrefix, "."))
	}
	switch c.Text.ModelType {
	case "t5":
		return newT5(b, c.Text)
	case "llama":
		return newLlama(b, c.Text)
	}
	return newOPT(b, c.Text)
}

// Store holds the parameters and axes.
func (m *Blip2) Store() *nn.Store { return m.store }

// Notes say what was unusual in the files that the network was loaded from.
func (m *Blip2) Notes() []string { return m.notes }

// Config describes the original's sizes.
func (m *Blip2) Config() *Config { return m.config }

// Form says how the network takes its questions.
func (m *Blip2) Form() Form { return m.config.Form() }

// Rebuild declares the network with other sizes.
func (m *Blip2) Rebuild(s nn.Structure) (Network, error) {
	c := *m.config
	c.Structure = &s
	return New(&c, m.omitted...)
}

// Prefix is the language model's view of a batch's pictures, [rows, queries, width]; nil of a decoder alone.
func (m *Blip2) Prefix(b *Batch) *torch.Tensor {
	if m.vision == nil {
		return nil
	}
	return m.prefix(m.Vision(b.Pictures), b)
}

// prefix is Prefix for pictures that went through the vision tower already.
func (m *Blip2) prefix(tokens *torch.Tensor, b *Batch) *torch.Tensor {
	return m.PrefixOf(m.Queried(tokens, b), b)
}

// Queried is what the Q-Former makes of the picture's tokens, [rows, queries, qformer hidden]: a row for each picture or,
// where the Q-Former reads the question, for each question.
func (m *Blip2) Queried(tokens *torch.Tensor, b *Batch) *torch.Tensor {
	if b.Instruction == nil {
		return m.QFormer(tokens)
	}
	read := m.qformer.Forward(likeWeights(m.ownPrefix(tokens, b), m.qformer.tokens), b.Instruction, b.InstructionMask)
	return read.Slice(1, 0, m.qformer.queries.Units())
}

// PrefixOf is Prefix for what the Q-Former made of the pictures.
func (m *Blip2) PrefixOf(queried *torch.Tensor, b *Batch) *torch.Tensor {
	if b.Instruction != nil {
		return m.Project(queried)
	}
	return m.ownPrefix(m.Project(queried), b)
}

// ownPrefix gives each row what belongs to its picture.
func (m *Blip2) ownPrefix(x *torch.Tensor, b *Batch) *torch.Tensor {
	if b.Owner == nil {
		return x
	}
	return x.IndexSelect(0, b.Owner)
}

// Vision maps normalised pictures to tokens [batch, 1 + patches, vision hidden]. A tower that learns nothing keeps
// nothing for a gradient.
func (m *Blip2) Vision(pictures *torch.Tensor) (tokens *torch.Tensor) {
	forward := func() { tokens = m.vision.Forward(likeWeights(pictures, m.vision.class)) }
	if torch.GradEnabled() && !m.store.Learns("vision") {
		torch.NoGrad(forward)
	} else {
		forward()
	}
	return tokens
}

// QFormer maps the picture's tokens to [batch, queries, qformer hidden], where the Q-Former reads no question.
func (m *Blip2) QFormer(tokens *torch.Tensor) *torch.Tensor {
	return m.qformer.Forward(likeWeights(tokens, m.qformer.tokens), nil, nil)
}

// Project maps the Q-Former's output to [batch, queries, language hidden].
func (m *Blip2) Project(queries *torch.Tensor) *torch.Tensor {
	x := m.projection.Forward(m.qformer.faded(likeWeights(queries, m.projection.W)))
	if first := m.language.firstWeight(); first.DType() != m.projection.W.DType() {
		return x.To(first.DType())
	}
	return x
}

// embed maps token ids [...] to [..., width], in the dtype of the blocks.
func (m *Blip2) embed(ids *torch.Tensor) *torch.Tensor {
	return likeWeights(m.language.Embed(ids), m.language.firstWeight())
}

// likeWeights brings activations to the dtype of the weights that read them: published checkpoints hold the Q-Former in
// float32 between halves, and a student may be trained in float32 around frozen halves.
func likeWeights(x *torch.Tensor, p *nn.Param) *torch.Tensor {
	if d := p.DType(); d != x.DType() {
		return x.To(d)
	}
	return x
}

// Logits are [n, vocabulary] for the scored positions of a batch.
func (m *Blip2) Logits(b *Batch) *torch.Tensor { return m.Head(m.Hidden(b)) }

// Head maps hidden states to logits.
func (m *Blip2) Head(hidden *torch.Tensor) *torch.Tensor { return m.language.Head(hidden) }

// HeadParams are the parameters that Head reads.
func (m *Blip2) HeadParams() []*nn.Param { return []*nn.Param{m.language.headWeight()} }

// Hidden are the normed states [n, hidden] at the scored positions of a batch.
func (m *Blip2) Hidden(b *Batch) *torch.Tensor { return m.HiddenAfter(m.Prefix(b), b) }

// HiddenAfter is Hidden for a prefix that is computed already, [rows, queries, hidden].
func (m *Blip2) HiddenAfter(prefix *torch.Tensor, b *Batch) *torch.Tensor {
	m.lean.rest()
	return m.run(prefix, b, nil)
}

// run is the language model over prefix and packed text, at the scored positions, [n, hidden].
func (m *Blip2) run(prefix *torch.Tensor, b *Batch, cache *Cache) *torch.Tensor {
	queries := m.queries()
	m.language.checkPositions(queries + b.LongestSegment)
	embeds := m.behind(prefix, b.IDs)
	positions := m.positions(b)
	if t5, ok := m.language.(*T5); ok {
		memory := t5.Encode(embeds, positions, m.seen(b))
		return t5.Answer(b.DecoderIDs, memory, cache, func(x *torch.Tensor) *torch.Tensor {
			return x.Flatten(0, 1).IndexSelect(0, b.Rows)
		})
	}
	scored := func(x *torch.Tensor) *torch.Tensor {
		return x.Slice(1, queries, math.MaxInt).Flatten(0, 1).IndexSelect(0, b.Rows)
	}
	return m.language.Forward(embeds, positions, m.mask(embeds.DType(), positions, b), cache, scored)
}

// behind embeds token ids behind the prefix, where there is one.
func (m *Blip2) behind(prefix, ids *torch.Tensor) *torch.Tensor {
	if prefix == nil {
		return m.embed(ids)
	}
	return torch.Cat(1, prefix, m.language.Embed(ids).To(prefix.DType()))
}

// queries is how many tokens stand before the text.
func (m *Blip2) queries() int {
	if m.qformer == nil {
		return 0
	}
	return m.qformer.queries.Units()
}

// positions of prefix and text, [rows or 1, tokens]. Queries that a gate hides take up no position, as in the network
// without them.
func (m *Blip2) positions(b *Batch) *torch.Tensor {
	if m.qformer == nil {
		return b.Positions
	}
	n := m.queries()
	on := b.Positions.Device()
	if shown := m.qformer.shown(); shown != nil {
		seen := shown.To(torch.Int64)
		prefix := seen.CumSum(0).AddScalar(-1).ClampMin(0).Unsqueeze(0)
		return torch.Cat(1, prefix.ExpandFirst(b.Positions), b.Positions.Add(seen.Sum()))
	}
	prefix := torch.Arange(0, n, on).Unsqueeze(0)
	return torch.Cat(1, prefix.ExpandFirst(b.Positions), b.Positions.AddScalar(float64(n)))
}

// segments of prefix and text: own as each token stands, key as the others see it, [rows or 1, tokens].
func (m *Blip2) segments(b *Batch) (own, key *torch.Tensor) {
	if m.qformer == nil {
		return b.Segments, b.Segments
	}
	on := b.Segments.Device()
	shared := torch.Full([]int{1, m.queries()}, prefixSegment, torch.Int64, on)
	own = torch.Cat(1, shared.ExpandFirst(b.Segments), b.Segments)
	key = own
	if shown := m.qformer.shown(); shown != nil {
		shared = torch.Where(shown.Unsqueeze(0), shared, torch.Full([]int{1}, hiddenSegment, torch.Int64, on))
		key = torch.Cat(1, shared.ExpandFirst(b.Segments), b.Segments)
	}
	return own, key
}

// mask lets each token see the prefix and its own segment up to its own position: the questions of a picture share its
// prefix in one sequence and are computed exactly as if each stood alone. [rows or 1, 1, tokens, tokens], added to
// the scores.
func (m *Blip2) mask(d torch.DType, positions *torch.Tensor, b *Batch) *torch.Tensor {
	own, key := m.segments(b)
	key = key.Unsqueeze(1)
	seen := key.Eq(own.Unsqueeze(2)).Or(key.EqScalar(prefixSegment)).And(positions.Unsqueeze(1).Le(positions.Unsqueeze(2)))
	return additive(seen, d).Unsqueeze(1)
}

// seen is which tokens of prefix and text an encoder reads, bool [rows or 1, tokens]; nil for all.
func (m *Blip2) seen(b *Batch) *torch.Tensor {
	_, key := m.segments(b)
	return key.GtScalar(padSegment)
}

// additive is 0 where seen and −∞ elsewhere.
func additive(seen *torch.Tensor, d torch.DType) *torch.Tensor {
	return torch.Zeros(nil, d, seen.Device()).MaskedFill(seen.Not(), minusInfinity)
}
