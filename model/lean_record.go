package model

import (
	"slices"

	"espalier/torch"
)

// The parts of a network's program. What reads a picture keeps as much as does not depend on the question: the keys and values
// of the prefix where a decoder alone reads it; the prefix where it goes into an encoder; the picture's tokens where the
// Q-Former reads the question.

// leanRecord adds a part to the network's program. Its examples are zeros: sizes alone matter.
func (m *Blip2) leanRecord(program *torch.Program, r torch.Recording, pictures *torch.Tensor) error {
	l := &m.lean
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.program != program {
		return errLeanReplaced
	}
	if l.parts[r.Part] { // another goroutine was faster
		return nil
	}
	var shape []int
	var keeps [][]int // the sizes of what the part keeps
	err := torch.Run(func(*torch.Scope) error {
		switch r.Part.Kind {
		case torch.PartPicture:
			shape = pictures.Shape()[1:]
			m.leanPicture(&r, shape)
		case torch.PartQuestion:
			m.leanQuestion(&r)
		case torch.PartStep:
			m.leanStep(&r)
		}
		forward := r.Forward
		r.Forward = func(in, states []*torch.Tensor) (logits *torch.Tensor, kept []*torch.Tensor) {
			logits, kept = forward(in, states)
			keeps = shapesOf(kept)
			return logits, kept
		}
		return program.Record(r)
	})
	if err != nil {
		return err // the part is not there, and whoever asks again tries again
	}
	switch r.Part.Kind {
	case torch.PartPicture:
		l.read, l.shape = keeps, shape
	case torch.PartQuestion:
		l.asked = keeps
	}
	l.parts[r.Part] = true
	return nil
}

func leanExamples(shapes [][]int) (out []*torch.Tensor) {
	for _, s := range shapes {
		out = append(out, torch.Zeros(s, torch.Float32, torch.CPU))
	}
	return out
}

func leanIDs(n int) *torch.Tensor { return torch.Zeros([]int{1, n}, torch.Int64, torch.CPU) }

func shapesOf(ts []*torch.Tensor) (out [][]int) {
	for _, t := range ts {
		out = append(out, t.Shape())
	}
	return out
}

// leanShares tells whether the questions about a picture share the keys and values of its prefix.
func (m *Blip2) leanShares() bool { return m.vision != nil && !m.Form().rowEach() }

func (m *Blip2) leanPicture(r *torch.Recording, shape []int) {
	r.Inputs = []*torch.Tensor{torch.Zeros(append([]int{1}, shape...), torch.Float32, torch.CPU)}
	r.Forward = func(in, _ []*torch.Tensor) (logits *torch.Tensor, kept []*torch.Tensor) {
		switch form := m.Form(); {
		case form.Instruct:
			kept = []*torch.Tensor{m.Vision(in[0])}
		case form.EncoderDecoder:
			kept = []*torch.Tensor{m.Prefix(&Batch{Pictures: in[0]})}
		default:
			_, kept = m.leanExtend(m.Prefix(&Batch{Pictures: in[0]}), 0, nil)
		}
		return nil, kept
	}
}

func (m *Blip2) leanQuestion(r *torch.Recording) {
	words := r.Part.Tokens
	m.language.checkPositions(m.queries() + words)
	r.Inputs = []*torch.Tensor{leanIDs(words)}
	if r.Part.Words > 0 {
		r.Inputs = append(r.Inputs, leanIDs(r.Part.Words))
	}
	r.States = leanExamples(m.lean.read)
	if !m.leanShares() {
		r.To = len(m.lean.read) // the picture's are for the next question too
	}
	r.Forward = func(in, states []*torch.Tensor) (logits *torch.Tensor, kept []*torch.Tensor) {
		switch t5, encoded := m.language.(*T5); {
		case encoded:
			logits, kept = m.leanEncode(t5, m.behind(m.leanPrefix(in, states), in[0]))
		case m.leanShares():
			logits, kept = m.leanExtend(m.embed(in[0]), m.queries(), states)
		default:
			logits, kept = m.leanExtend(m.behind(m.leanPrefix(in, states), in[0]), 0, nil)
		}
		return logits, kept
	}
}

// leanPrefix is the prefix of a question, of what the picture's part kept; nil of a decoder alone.
func (m *Blip2) leanPrefix(in, states []*torch.Tensor) *torch.Tensor {
	switch {
	case m.vision == nil:
		return nil
	case len(in) == 1:
		return states[0]
	}
	seen := torch.Ones(in[1].Shape(), torch.Bool, torch.CPU)
	return m.prefix(states[0], &Batch{Instruction: in[1], InstructionMask: seen})
}

func (m *Blip2) leanStep(r *torch.Recording) {
	tokens := r.Part.Tokens
	m.language.checkPositions(tokens + 1)
	r.Inputs = []*torch.Tensor{leanIDs(1)}
	if !m.leanShares() {
		r.From = len(m.lean.read)
	}
	r.To = r.From
	var shapes [][]int
	for _, s := range m.lean.asked {
		s = slices.Clone(s)
		if len(s) == 3 { // keys or values of the tokens so far
			s[1] = tokens
		} else { // of what the encoder has read
			s[2] = m.queries() + r.Part.Words
		}
		shapes = append(shapes, s)
	}
	r.States = leanExamples(shapes)
	r.Forward = func(in, states []*torch.Tensor) (*torch.Tensor, []*torch.Tensor) {
		if t5, encoded := m.language.(*T5); encoded {
			return m.leanDecode(t5, in[0], tokens, states)
		}
		return m.leanExtend(m.embed(in[0]), tokens, states)
	}
}

// leanExtend is a decoder over new tokens of one row, which stand behind so many that states hold the keys and values of. It gives
// the last one's logits, and all keys and values.
func (m *Blip2) leanExtend(embeds *torch.Tensor, tokens int, states []*torch.Tensor) (logits *torch.Tensor, kept []*torch.Tensor) {
	n := embeds.Size(1)
	cache := &Cache{joins: true}
	for i := 0; i < len(states); i += 2 {
		cache.layers = append(cache.layers, cached{keys: states[i], values: states[i+1]})
	}
	positions := torch.Arange(tokens, tokens+n, torch.CPU).Unsqueeze(0)
	var mask *torch.Tensor
	if n > 1 {
		keys := torch.Arange(0, tokens+n, torch.CPU).Unsqueeze(0)
		mask = additive(keys.Unsqueeze(1).Le(positions.Unsqueeze(2)), embeds.DType()).Unsqueeze(1)
	}
	hidden := m.language.Forward(embeds, positions, mask, cache, func(x *torch.Tensor) *torch.Tensor { return x.Select(1, -1) })
	return m.Head(hidden), cache.own()
}

// leanEncode is the encoder over prefix and question, and the decoder over the start token. It keeps the decoder's keys and
// values, then those of the encoder's output.
func (m *Blip2) leanEncode(t5 *T5, embeds *torch.Tensor) (logits *torch.Tensor, kept []*torch.Tensor) {
	positions := torch.Arange(0, embeds.Size(1), torch.CPU).Unsqueeze(0)
	cache := &Cache{joins: true, memory: t5.Encode(embeds, positions, nil)}
	start := t5.Embed(torch.FromInts([]int{m.config.Text.Start}, torch.CPU, 1, 1))
	logits = m.Head(t5.Forward(start, torch.Arange(0, 1, torch.CPU).Unsqueeze(0), nil, cache, nil).Select(1, 0))
	kept = cache.own()
	for _, read := range cache.read {
		kept = append(kept, read.keys, read.values)
	}
	return logits, kept
}

// leanDecode is the decoder over one token more.
func (m *Blip2) leanDecode(t5 *T5, id *torch.Tensor, tokens int, states []*torch.Tensor) (logits *torch.Tensor, kept []*torch.Tensor) {
	cache := &Cache{joins: true, memory: &memory{}, positions: torch.Arange(0, tokens, torch.CPU).Unsqueeze(0)}
	half := len(states) / 2
	for i := 0; i < half; i += 2 {
		cache.layers = append(cache.layers, cached{keys: states[i], values: states[i+1]})
		cache.read = append(cache.read, readMemory{states[half+i], states[half+i+1]})
	}
	position := torch.Arange(tokens, tokens+1, torch.CPU).Unsqueeze(0)
	return m.Head(t5.Forward(t5.Embed(id), position, nil, cache, nil).Select(1, 0)), cache.own()
}

// own are the keys and values of each layer.
func (c *Cache) own() (out []*torch.Tensor) {
	for _, l := range c.layers {
		out = append(out, l.keys, l.values)
	}
	return out
}
