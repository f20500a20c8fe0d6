package torch

// #include "espalier.h"
import "C"

import (
	"runtime"
	"slices"
	"unsafe"
)

// Program is a network's forward as a list of kernel calls over planned memory. Its parts are recorded at fixed sizes with
// [Program.Record]; [Program.Answer] then runs the greedy loop over them without a return to Go. Several goroutines may ask
// one program while none records.
type Program struct {
	c       *C.esp_program
	cleanup runtime.Cleanup
}

// Part is one part of a program.
type Part struct {
	Kind   PartKind
	Tokens int // of a question: its words; of a step: the tokens before it
	Words  int // of a question: its words for the Q-Former; of a step: those that an encoder has read, 0 without one
}

// PartKind says what a part reads.
type PartKind int

// The kinds of part.
const (
	PartPicture  PartKind = C.ESP_PART_PICTURE
	PartQuestion PartKind = C.ESP_PART_QUESTION
	PartStep     PartKind = C.ESP_PART_STEP // a token of an answer
)

// Recording is what a part is made of: examples, of which the sizes alone matter, and the forward.
type Recording struct {
	Part       Part
	Parameters []*Tensor
	Inputs     []*Tensor // a picture; the ids of a question and of its instruction; or the id of a token
	States     []*Tensor // what earlier parts kept in the slots from From on
	From, To   int
	// Forward gives the logits [1, vocabulary], or nil, and the states that the part keeps in the slots from To on.
	Forward func(inputs, states []*Tensor) (logits *Tensor, kept []*Tensor)
}

// NewProgram is a program without parts over parameters on the CPU. Parts can be recorded where these are float32.
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

// Record makes a part of what the forward does with inputs and states: every operation is recorded, and what depends on
// parameters and on Go's values alone is computed once. An operation that a program has no instruction for gives an [Error] of
// the kind KindUnsupported.
//
//go:noinline
func (p *Program) Record(r Recording) error {
	return Run(func(*Scope) error {
		NoGrad(func() { p.record(r) })
		return nil
	})
}

func (p *Program) record(r Recording) {
	const op = "program"
	var all []*Tensor
	for _, t := range slices.Concat(r.Inputs, r.States) { // new handles: the tracer knows a tensor by its identity
		all = append(all, t.Detach())
	}
	given, own := list(handles(all)), list(handles(r.Parameters))
	check(op, C.esp_program_begin(own, given), all...)
	recording := true
	defer func() {
		if recording { // the forward panicked: the thread must not go on recording
			check(op, C.esp_trace_abandon())
		}
	}()
	logits, kept := r.Forward(all[:len(r.Inputs)], all[len(r.Inputs):])
	keep, last := list(handles(kept)), logits.optional()
	program := p.ptr()
	recording = false
	check(op, C.esp_program_finish(program, C.esp_part{kind: C.int64_t(r.Part.Kind), tokens: C.int64_t(r.Part.Tokens), words: C.int64_t(r.Part.Words)},
		own, given, C.int64_t(len(r.States)), C.int64_t(r.From), last, keep, C.int64_t(r.To)))
	runtime.KeepAlive(p)
	runtime.KeepAlive(r)
}

// Asked is questions about pictures, and their greedy answers.
type Asked struct {
	Counts  []int // questions of each picture
	Lengths []int // tokens of each question
	IDs     []int // of all questions, one behind the other
	// The same of the questions as a Q-Former reads them; nil where it reads none.
	InstructionLengths, InstructionIDs []int

	Ends      []int // ids that end an answer
	Prefix    int   // tokens before a question
	Encoder   bool  // the question goes into an encoder, and the answer begins in a decoder of its own
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
	var part C.esp_part
	asked := C.esp_questions{
		counts: ints(a.Counts), lengths: ints(a.Lengths), ids: ints(a.IDs), ends: ints(a.Ends),
		instruction_lengths: ints(a.InstructionLengths), instruction_ids: ints(a.InstructionIDs),
		prefix: C.int64_t(a.Prefix), min_tokens: C.int64_t(a.MinTokens), max_tokens: C.int64_t(a.MaxTokens),
		answers: (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(a.Answers))), tokens: (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(a.Tokens))),
		log_probs: (*C.double)(unsafe.Pointer(unsafe.SliceData(a.LogProbs))),
	}
	if a.Encoder {
		asked.encoder = 1
	}
	check("program", C.esp_program_answer(p.ptr(), pictures.optional(), asked, &lacks, &part), pictures)
	runtime.KeepAlive(p)
	return Part{Kind: PartKind(part.kind), Tokens: int(part.tokens), Words: int(part.words)}, lacks == 0
}
