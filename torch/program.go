package torch

// #include "espalier.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Program is a network's forward as a list of kernel calls over planned memory. Its parts are recorded at fixed sizes with
// [Program.Record]; [Program.Answer] then runs the greedy loop over them without a return to Go. Several goroutines may ask
// one program while none records.
type Program struct {
	c       *C.esp_program
	cleanup runtime.Cleanup
}

// Part is what a part of a program finds and adds: so many tokens that earlier parts kept the keys and values of, and so many
// new ones. The zero Part reads a picture.
type Part struct{ Tokens, Added int }

// NewProgram is a program without parts over parameters, which must be float32 on the CPU.
func NewProgram(parameters []*Tensor) (*Program, error) {
	p := &Program{}
	if err := statusError("program", C.esp_program_new(list(handles(parameters)), &p.c)); err != nil {
		return nil, err
	}
	runtime.KeepAlive(parameters)
	p.cleanup = runtime.AddCleanup(p, func(c *C.esp_program) { C.esp_program_free(c) }, p.c)
	return p, nil
}

// Close frees the program.
func (p *Program) Close() {
	if p.c != nil {
		p.cleanup.Stop()
		C.esp_program_free(p.c)
		p.c = nil
	}
}

func (p *Program) ptr() *C.esp_program {
	if p == nil || p.c == nil {
		misuse("program", KindMisuse, "the program is closed")
	}
	return p.c
}

// Fresh tells whether the parameters are still those that the program was made of, with the same values.
func (p *Program) Fresh(parameters []*Tensor) bool {
	defer runtime.KeepAlive(parameters)
	return number("program", C.esp_program_is_fresh(p.ptr(), list(handles(parameters)))) != 0
}

// Record makes a part of what f does with inputs and states: every operation is recorded at the sizes of these examples, and
// what depends on parameters and on Go's values alone is computed once. f gives logits [1, vocabulary], or nil, and the states
// that the part keeps; state i of one part is state i of the next. An operation that a program has no instruction for gives an
// [Error] of the kind KindUnsupported.
//
//go:noinline
func (p *Program) Record(part Part, parameters, inputs, states []*Tensor, f func(inputs, states []*Tensor) (logits *Tensor, kept []*Tensor)) error {
	return Run(func(*Scope) error {
		NoGrad(func() { p.record(part, parameters, inputs, states, f) })
		return nil
	})
}

func (p *Program) record(part Part, parameters, inputs, states []*Tensor, f func(inputs, states []*Tensor) (*Tensor, []*Tensor)) {
	const op = "program"
	all := make([]*Tensor, 0, len(inputs)+len(states))
	for _, t := range append(append(all, inputs...), states...) { // new handles: the tracer knows a tensor by its identity
		all = append(all, t.Detach())
	}
	given, own := list(handles(all)), list(handles(parameters))
	check(op, C.esp_program_begin(own, given), all...)
	recording := true
	defer func() {
		if recording { // f panicked: the thread must not go on recording
			check(op, C.esp_trace_abandon())
		}
	}()
	logits, kept := f(all[:len(inputs)], all[len(inputs):])
	keep := list(handles(kept))
	program := p.ptr()
	recording = false
	check(op, C.esp_program_finish(program, own, given, C.int64_t(len(states)), C.int64_t(part.Tokens), C.int64_t(part.Added),
		logits.optional(), keep), kept...)
	runtime.KeepAlive(p)
	runtime.KeepAlive(parameters)
}

// Asked is questions about pictures, and their greedy answers.
type Asked struct {
	Counts    []int // questions of each picture
	Lengths   []int // tokens of each question
	IDs       []int // of all questions, one behind the other
	Ends      []int // ids that end an answer
	Prefix    int   // tokens that the picture's part keeps
	MinTokens int   // before which no end is said
	MaxTokens int   // of an answer, its end included

	Answers  []int     // [question][MaxTokens]
	Tokens   []int     // how many of them each answer has, without its end; -1 for one that is still to be found
	LogProbs []float64 // [question][MaxTokens], with those of the ends; nil where nobody asks
}

// Answer finds the answers that there are none of yet; pictures [pictures, ...] are float32, or nil for a network that sees
// none. It returns false, and which part, where one was never recorded: record it and ask again.
func (p *Program) Answer(pictures *Tensor, a *Asked) (missing Part, done bool) {
	var lacks C.int32_t
	var part [2]C.int64_t
	asked := C.esp_questions{
		counts: ints(a.Counts), lengths: ints(a.Lengths), ids: ints(a.IDs), ends: ints(a.Ends),
		prefix: C.int64_t(a.Prefix), min_tokens: C.int64_t(a.MinTokens), max_tokens: C.int64_t(a.MaxTokens),
		answers: (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(a.Answers))), tokens: (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(a.Tokens))),
		log_probs: (*C.double)(unsafe.Pointer(unsafe.SliceData(a.LogProbs))),
	}
	check("program", C.esp_program_answer(p.ptr(), pictures.optional(), asked, &lacks, &part[0]), pictures)
	runtime.KeepAlive(p)
	return Part{Tokens: int(part[0]), Added: int(part[1])}, lacks == 0
}
