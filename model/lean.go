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
	read    [][]int // the shapes of what the part keeps that reads a picture
	asked   [][]int // of what the parts keep that read a question
	parts   int
	numbers int   // of all parameters
	refused error // why the network has no program

	// A network of shorter floats answers by a twin in float32, for as long as its own parameters stay as they are.
	twin  *Blip2
	watch *torch.Program // without parts, over the own parameters
}

const (
	leanParameters = 1 << 29 // a program holds the weights a second time, and a larger network has no room for it
	leanKept       = 1 << 25 // a larger network gives the memory back when it trains
	leanParts      = 1 << 12
	leanTokens     = 64 // of an answer: each has a part of its own, and recording one takes as long as some steps of the ordinary way
)

var errLeanReplaced = errors.New("another goroutine began a new program")

// leanRefusal says why a network's answers take the ordinary way; nil where they do not have to.
func (m *Blip2) leanRefusal(o GenerateOptions) error {
	switch {
	case o.Beams > 1:
		return errors.New("several beams are searched")
	case o.MaxTokens > leanTokens:
		return fmt.Errorf("answers may have more than %d tokens", leanTokens)
	case slices.ContainsFunc(m.store.Axes(), (*nn.Axis).Watched):
		return errors.New("a gate or an observer sits on an axis")
	}
	return nil
}

// Recorded tells whether the network's program, if it has one, computes an answer of so many tokens at most. One call takes one way for all of its
// questions, and the ways round differently, most of all with 16 bits: whoever answers for several keeps what is recorded apart from what is not.
func (m *Blip2) Recorded(q Question, tokens int) bool {
	return tokens <= leanTokens && len(q.Prompt) > 0 && (!m.Form().Instruct || len(q.Instruction) > 0)
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
	if twin, err := m.leanTwin(parameters); twin != nil || err != nil {
		if err != nil {
			return nil, false, err
		}
		return twin.leanly(pictures, questions, o)
	}
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
		err := m.leanRecord(program, torch.Recording{Part: missing, Parameters: parameters}, read)
		if errors.Is(err, errLeanReplaced) {
			if program, err = m.lean.open(parameters); program != nil && err == nil {
				continue
			}
			return nil, false, err
		}
		if err != nil {
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

// leanAsked is the questions as a program takes them; not ok where one has no words: of these the ordinary way knows more.
func (m *Blip2) leanAsked(questions [][]Question, o GenerateOptions) (a *torch.Asked, ok bool) {
	form := m.Form()
	a = &torch.Asked{Prefix: m.queries(), Encoder: form.EncoderDecoder, Ends: o.Ends, MinTokens: o.MinTokens, MaxTokens: o.MaxTokens}
	for _, qs := range questions {
		a.Counts = append(a.Counts, len(qs))
		for _, q := range qs {
			if !m.Recorded(q, o.MaxTokens) {
				return nil, false
			}
			a.Lengths, a.IDs, a.Tokens = append(a.Lengths, len(q.Prompt)), append(a.IDs, q.Prompt...), append(a.Tokens, -1)
			if form.Instruct {
				a.InstructionLengths, a.InstructionIDs = append(a.InstructionLengths, len(q.Instruction)), append(a.InstructionIDs, q.Instruction...)
			}
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

// leanTwin is the network in float32 where it has parameters of 16 bits and its size allows a twin; else nil.
func (m *Blip2) leanTwin(parameters []*torch.Tensor) (*Blip2, error) {
	l := &m.lean
	fresh := func() bool { return l.twin != nil && l.watch.Fresh(parameters) }
	l.lock.RLock()
	twin, done := l.twin, fresh()
	settled := l.program != nil || l.refused != nil // it has a program of its own, or can have none: its parameters need no look at each call
	l.lock.RUnlock()
	switch {
	case settled:
		return nil, nil
	case done:
		return twin, nil
	}
	short, numbers := false, 0
	for _, p := range parameters {
		switch p.DType() {
		case torch.BFloat16, torch.Float16:
			short = true
		case torch.Float32:
		default:
			return nil, nil
		}
		if numbers += p.Count(); p.Device() != torch.CPU || numbers > leanKept {
			return nil, nil
		}
	}
	if !short {
		return nil, nil
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if fresh() { // another goroutine was faster
		return l.twin, nil
	}
	l.freeTwin()
	watch, err := torch.NewProgram(parameters)
	if err != nil {
		return nil, err
	}
	made, err := Convert(m, torch.Float32, torch.CPU)
	if err != nil {
		watch.Close()
		return nil, err
	}
	l.twin, l.watch = made.(*Blip2), watch
	return l.twin, nil
}

func (l *lean) freeTwin() {
	if l.twin != nil {
		l.twin.store.Free()
		l.watch.Close()
		l.twin, l.watch = nil, nil
	}
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
	l.program, l.read, l.asked, l.parts = nil, nil, nil, 0 // others may still be computing with the old one, which goes when they are done
	l.numbers = 0
	for _, p := range parameters {
		if l.numbers += p.Count(); p.DType() != torch.Float32 || p.Device() != torch.CPU || l.numbers > leanParameters {
			l.refused = fmt.Errorf("a parameter is %v on %v, or there are more than %d numbers", p.DType(), p.Device(), leanParameters)
			return nil, nil
		}
	}
	made, err := torch.NewProgram(parameters)
	l.program = made
	return made, err
}

// free frees the program; the next question begins another one.
func (l *lean) free() {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.program != nil {
		l.program.Close()
		l.program = nil
	}
	l.freeTwin()
}

// rest frees the program of a large network, whose memory is needed by who computes with the network in another way.
func (l *lean) rest() {
	l.lock.RLock()
	large := l.program != nil && l.numbers > leanKept
	l.lock.RUnlock()
	if large {
		l.free()
	}
}

// refuse leaves the network to the ordinary way.
func (l *lean) refuse(program *torch.Program, why error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.program == program {
		l.program, l.refused = nil, why
	}
}
