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
	parts   map[torch.Part]bool
	shape   []int // of a picture
	numbers int   // of all parameters
	refused error // what the network computes and no program can

	// A network of shorter floats answers by a twin in float32, for as long as its own parameters stay as they are.
	twin  *Blip2
	watch *torch.Program // without parts, over the own parameters
}

const (
	leanParameters = 1 << 29 // a program holds the weights a second time, and a larger network has no room for it
	leanKept       = 1 << 25 // a larger network gives the memory back when it trains
	leanParts      = 1 << 12
	leanTokens     = 64  // of an answer: each has a part of its own, and recording one takes as long as some steps of the ordinary way
	leanPrompt     = 256 // tokens, with the picture's: each number of them has a part of its own, which keeps a mask of its square
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

// Recorded tells whether the network's program, if it has one, computes an answer of so many tokens at most. The number of tokens holds for all
// questions of a call, and the ways round differently, most of all with 16 bits: whoever answers for several keeps what is recorded apart.
func (m *Blip2) Recorded(q Question, tokens int) bool {
	return tokens <= leanTokens && len(q.Prompt) > 0 && m.queries()+len(q.Prompt) <= leanPrompt && (!m.Form().Instruct || len(q.Instruction) > 0)
}

// leanlyWhereRecorded answers by the network's program, if it has one, and in the ordinary way the questions that no program computes; ok is
// false where all take the ordinary way. The ways round differently, and no answer may depend on what else is asked.
func (m *Blip2) leanlyWhereRecorded(pictures *torch.Tensor, questions [][]Question, o GenerateOptions) (answers [][][]int, ok bool, err error) {
	way := func(q Question) int { // 0 of what is recorded, 1 of others
		if m.Recorded(q, o.MaxTokens) {
			return 0
		}
		return 1
	}
	var asked [2]bool
	for _, qs := range questions {
		for _, q := range qs {
			asked[way(q)] = true
		}
	}
	if !asked[0] || !asked[1] {
		return m.leanly(pictures, questions, o)
	}
	of := [2][][]Question{make([][]Question, len(questions)), make([][]Question, len(questions))}
	for i, qs := range questions {
		for _, q := range qs {
			w := way(q)
			of[w][i] = append(of[w][i], q)
		}
	}
	var found [2][][][]int
	var said [2][][][]float64
	options := [2]GenerateOptions{o, o}
	if o.LogProbs != nil {
		options[0].LogProbs, options[1].LogProbs = &said[0], &said[1]
	}
	if found[0], ok, err = m.leanly(pictures, of[0], options[0]); !ok || err != nil {
		return nil, false, err
	}
	torch.Inference(func() { found[1], err = m.generate(pictures, of[1], options[1]) })
	if err != nil {
		return nil, false, err
	}
	if o.LogProbs != nil {
		*o.LogProbs = merge(questions, way, said)
	}
	return merge(questions, way, found), true, nil
}

// merge puts what there is of each question, found in two ways, in the questions' order.
func merge[T any](questions [][]Question, way func(Question) int, of [2][][]T) [][]T {
	out := make([][]T, len(questions))
	for i, qs := range questions {
		out[i] = make([]T, 0, len(qs))
		for _, q := range qs {
			from := &of[way(q)][i]
			out[i] = append(out[i], (*from)[0])
			*from = (*from)[1:]
		}
	}
	return out
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
	if read != nil && !m.lean.sees(read.Shape()[1:]) {
		return nil, false, nil
	}
	for ahead := 1; ; {
		missing, done, err := m.lean.answer(program, read, a)
		if done {
			break
		}
		for n := 0; err == nil && n < ahead && (n == 0 || m.leanStepNeeded(missing, a)); n++ {
			err = m.leanRecord(program, torch.Recording{Part: missing, Parameters: parameters}, read)
			missing.Tokens++
		}
		if missing.Kind == torch.PartStep {
			ahead *= 2 // each call computes the answers from their beginning
		}
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

// answer asks a program. What panics in it must not leave the lock held: nobody could record any more.
func (l *lean) answer(program *torch.Program, read *torch.Tensor, a *torch.Asked) (missing torch.Part, done bool, err error) {
	l.lock.RLock()
	defer l.lock.RUnlock()
	if l.program != program {
		return missing, false, errLeanReplaced
	}
	missing, done = program.Answer(read, a)
	return missing, done, nil
}

// sees tells whether pictures have the shape that the program was recorded with, if it was.
func (l *lean) sees(shape []int) bool {
	l.lock.RLock() // whoever waits for all the others to answer would answer alone
	defer l.lock.RUnlock()
	return l.shape == nil || slices.Equal(l.shape, shape)
}

// leanStepNeeded tells whether an answer to one of the questions may come to a step.
func (m *Blip2) leanStepNeeded(p torch.Part, a *torch.Asked) bool {
	most := 1
	if !a.Encoder {
		most = a.Prefix + slices.Max(a.Lengths)
	}
	room := m.Room()
	return p.Kind == torch.PartStep && p.Tokens <= most+a.MaxTokens-2 && (room == 0 || p.Tokens+1 <= room+m.queries())
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
	twin, done, settled := func() (*Blip2, bool, bool) {
		l.lock.RLock()
		defer l.lock.RUnlock()
		return l.twin, fresh(), l.program != nil || l.refused != nil // it has a program of its own, or can have none: its parameters need no look at each call
	}()
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
	program, settled := func() (*torch.Program, bool) {
		l.lock.RLock()
		defer l.lock.RUnlock()
		return l.program, l.refused != nil || l.program != nil && len(l.parts) < leanParts && l.program.Fresh(parameters)
	}()
	if settled {
		return program, nil
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.program != program { // another goroutine was faster
		return l.program, nil
	}
	l.close()
	l.numbers = 0
	for _, p := range parameters {
		if l.numbers += p.Count(); p.DType() != torch.Float32 || p.Device() != torch.CPU || l.numbers > leanParameters {
			return nil, nil
		}
	}
	made, err := torch.NewProgram(parameters)
	l.program = made
	return made, err
}

// close frees the program and the twin. Who is answering holds the lock, and finds another program or none when it asks again.
func (l *lean) close() {
	if l.program != nil {
		l.program.Close()
	}
	l.freeTwin()
	l.program, l.read, l.asked, l.shape, l.parts = nil, nil, nil, nil, map[torch.Part]bool{}
}

// free frees the program; the next question begins another one.
func (l *lean) free() {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.close()
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
		l.close()
		l.refused = why
	}
}
