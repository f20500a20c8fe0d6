package model

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"espalier/torch"
	"espalier/torch/nn"
)

// lean is the short way to greedy answers: the forwards of the network, recorded once for each number of tokens and run without
// libtorch (torch.Program). A picture is read once, with its keys and values in every layer, and each question after it by
// itself, so that the same few parts serve every batch, and an answer does not depend on what else is asked. Several goroutines
// may ask.
type lean struct {
	lock    sync.RWMutex // held for writing by who records
	program *torch.Program
	widths  []int // of the states that parts keep: the keys and values of each layer
	parts   int
	refused error // why the network has no program
}

const (
	leanParameters = 1 << 26 // a larger network's time goes into its matrices, which a program would hold twice
	leanParts      = 1 << 12
	leanTokens     = 64 // of an answer: each has a part of its own, and recording one takes as long as some steps of the ordinary way
)

// leanRefusal says why a network's answers take the ordinary way; nil where they do not have to.
func (m *Blip2) leanRefusal(o GenerateOptions) error {
	switch form := m.Form(); {
	case o.Beams > 1:
		return errors.New("several beams are searched")
	case o.MaxTokens > leanTokens:
		return fmt.Errorf("answers may have more than %d tokens", leanTokens)
	case form.Instruct:
		return errors.New("the Q-Former reads the question")
	case form.EncoderDecoder:
		return errors.New("the language model has an encoder of its own")
	case slices.ContainsFunc(m.store.Axes(), (*nn.Axis).Watched):
		return errors.New("a gate or an observer sits on an axis")
	}
	return nil
}

// leanly answers by the network's program; ok is false where the ordinary way must be taken.
func (m *Blip2) leanly(pictures *torch.Tensor, questions [][]Question, o GenerateOptions) (answers [][][]int, ok bool, err error) {
	if m.leanRefusal(o) != nil || pictures.Device() != torch.CPU {
		return nil, false, nil
	}
	a, ok := m.leanAsked(questions, o)
	if !ok {
		return nil, false, nil
	}
	parameters := m.leanParameters()
	program, err := m.lean.open(parameters)
	if program == nil || err != nil {
		return nil, false, err
	}
	var read *torch.Tensor
	if m.vision != nil {
		read = pictures.To(torch.Float32).Contiguous()
	}
	for {
		m.lean.lock.RLock()
		missing, done := program.Answer(read, a)
		m.lean.lock.RUnlock()
		if done {
			break
		}
		if err := m.leanRecord(program, parameters, read, missing); err != nil {
			var e *torch.Error
			if errors.As(err, &e) && e.Kind == torch.KindUnsupported {
				m.lean.refuse(program, err)
				return nil, false, nil
			}
			return nil, false, err
		}
	}
	flat := make([][]int, len(a.Tokens))
	logProbs := make([][]float64, len(a.Tokens))
	for q, n := range a.Tokens {
		if n > 0 {
			flat[q] = a.Answers[q*o.MaxTokens:][:n:n]
		}
		if a.LogProbs != nil {
			said := min(n+1, o.MaxTokens) // with the end
			logProbs[q] = a.LogProbs[q*o.MaxTokens:][:said:said]
		}
	}
	if o.LogProbs != nil {
		*o.LogProbs = byPicture(logProbs, questions)
	}
	return byPicture(flat, questions), true, nil
}

// leanAsked is the questions as a program takes them; not ok where one has no words, of which the ordinary way tells.
func (m *Blip2) leanAsked(questions [][]Question, o GenerateOptions) (a *torch.Asked, ok bool) {
	a = &torch.Asked{Prefix: m.queries(), Ends: o.Ends, MinTokens: o.MinTokens, MaxTokens: o.MaxTokens}
	for _, qs := range questions {
		a.Counts = append(a.Counts, len(qs))
		for _, q := range qs {
			if len(q.Prompt) == 0 {
				return nil, false
			}
			a.Lengths, a.IDs, a.Tokens = append(a.Lengths, len(q.Prompt)), append(a.IDs, q.Prompt...), append(a.Tokens, -1)
		}
	}
	a.Answers = make([]int, len(a.Tokens)*o.MaxTokens)
	if o.LogProbs != nil {
		a.LogProbs = make([]float64, len(a.Answers))
	}
	return a, true
}

func (m *Blip2) leanParameters() []*torch.Tensor {
	out := make([]*torch.Tensor, len(m.store.Params()))
	for i, p := range m.store.Params() {
		out[i] = p.T()
	}
	return out
}

// open gives the program of the parameters as they are now, or nil where they have none.
func (l *lean) open(parameters []*torch.Tensor) (*torch.Program, error) {
	l.lock.RLock()
	program, refused := l.program, l.refused
	fresh := program != nil && l.parts < leanParts && program.Fresh(parameters)
	l.lock.RUnlock()
	if fresh || refused != nil {
		return program, nil
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.program != program { // another goroutine was faster
		return l.program, nil
	}
	l.program, l.widths, l.parts = nil, nil, 0 // others may still be computing with the old one, which goes when they are done
	count := 0
	for _, p := range parameters {
		if count += p.Count(); p.DType() != torch.Float32 || p.Device() != torch.CPU || count > leanParameters {
			l.refused = fmt.Errorf("a parameter is %v on %v, or there are more than %d numbers", p.DType(), p.Device(), leanParameters)
			return nil, nil
		}
	}
	made, err := torch.NewProgram(parameters)
	l.program = made
	return made, err
}

// refuse leaves the network to the ordinary way.
func (l *lean) refuse(program *torch.Program, why error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.program == program {
		l.program, l.refused = nil, why
	}
}

// leanRecord adds a part to the network's program. Its examples are zeros: sizes alone matter.
func (m *Blip2) leanRecord(program *torch.Program, parameters []*torch.Tensor, pictures *torch.Tensor, part torch.Part) error {
	l := &m.lean
	l.lock.Lock()
	defer l.lock.Unlock()
	l.parts++
	return torch.Run(func(*torch.Scope) error {
		if part == (torch.Part{}) {
			picture := torch.Zeros(append([]int{1}, pictures.Shape()[1:]...), torch.Float32, torch.CPU)
			return program.Record(part, parameters, []*torch.Tensor{picture}, nil, func(in, _ []*torch.Tensor) (*torch.Tensor, []*torch.Tensor) {
				prefix := m.Prefix(&Batch{Pictures: in[0]})
				_, kept := m.leanExtend(prefix, 0, nil)
				return nil, kept
			})
		}
		m.language.checkPositions(part.Tokens + part.Added)
		ids := torch.Zeros([]int{1, part.Added}, torch.Int64, torch.CPU)
		var states []*torch.Tensor
		if part.Tokens > 0 {
			for _, w := range l.widths {
				states = append(states, torch.Zeros([]int{1, part.Tokens, w}, torch.Float32, torch.CPU))
			}
		}
		return program.Record(part, parameters, []*torch.Tensor{ids}, states, func(in, states []*torch.Tensor) (*torch.Tensor, []*torch.Tensor) {
			hidden, kept := m.leanExtend(m.embed(in[0]), part.Tokens, states)
			return m.Head(hidden), kept
		})
	})
}

// leanExtend is the language model over new tokens of one row, which stand behind so many that states hold the keys and values
// of. It gives the last one's state [1, width], and all keys and values.
func (m *Blip2) leanExtend(embeds *torch.Tensor, tokens int, states []*torch.Tensor) (hidden *torch.Tensor, kept []*torch.Tensor) {
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
	hidden = m.language.Forward(embeds, positions, mask, cache, func(x *torch.Tensor) *torch.Tensor { return x.Select(1, -1) })
	m.lean.widths = m.lean.widths[:0]
	for _, l := range cache.layers {
		kept = append(kept, l.keys, l.values)
		m.lean.widths = append(m.lean.widths, l.keys.Size(2), l.values.Size(2))
	}
	return hidden, kept
}
