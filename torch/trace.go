package torch

// #include "espalier.h"
import "C"

import "runtime"

// Input is an argument of a traced method: its name, and an example of its value.
type Input struct {
	Name string
	Operand
}

// Trace makes a method of what f does with its inputs: every operation is recorded, and what f returns the method gives.
// It runs at other sizes than the example's as far as no size passes through Go: where f asks for a Shape or reads
// Values, the method keeps the example's. What f uses besides inputs and parameters, and what is made of Go's values
// (From, Full, Arange), becomes a constant. An operation's failure comes back as its error.
//
//go:noinline
func (m *Module) Trace(method string, inputs []Input, f func(inputs []Operand) []Operand) error {
	return Run(func(*Scope) error {
		NoGrad(func() { m.trace(method, inputs, f) })
		return nil
	})
}

func (m *Module) trace(method string, inputs []Input, f func([]Operand) []Operand) {
	op := "trace " + method
	names := make([]string, len(inputs))
	traced := make([]Operand, len(inputs))
	for i, in := range inputs { // new handles: the tracer knows a tensor by its identity, and no two inputs may share one
		names[i] = in.Name
		if in.Tensor != nil {
			traced[i].Tensor = in.Tensor.Detach()
			continue
		}
		for _, t := range in.List {
			traced[i].List = append(traced[i].List, t.Detach())
		}
	}
	tensors, layout := flat(traced)
	c := newCStrings(names)
	defer c.free()
	check(op, C.esp_trace_begin(m.ptr(op), c.data(), lend(tensors, layout)), tensors...)
	recording := true
	defer func() {
		if recording { // f panicked: the thread must not go on recording
			check(op, C.esp_trace_abandon())
		}
	}()
	given, layout := flat(f(traced))
	name := newCStrings([]string{method})
	defer name.free()
	out, module := lend(given, layout), m.ptr(op) // f may have closed it
	recording = false                             // whether it fails or not
	check(op, C.esp_trace_finish(module, name[0], out), given...)
	runtime.KeepAlive(m)
}
