package torch

// #include "espalier.h"
import "C"

import (
	"fmt"
	"runtime"
	"strings"
)

// Kind says what sort of failure an [Error] is.
type Kind int

// The kinds of failure.
const (
	KindRuntime     Kind = C.ESP_ERROR_RUNTIME
	KindMemory      Kind = C.ESP_ERROR_MEMORY      // an allocation failed
	KindIndex       Kind = C.ESP_ERROR_INDEX       // an index or dimension out of range
	KindType        Kind = C.ESP_ERROR_TYPE        // a dtype that does not fit
	KindUnsupported Kind = C.ESP_ERROR_UNSUPPORTED // not available for this dtype or device
	KindCallback    Kind = C.ESP_ERROR_CALLBACK    // a Go hook panicked
	KindMisuse      Kind = 100                     // found in Go: a freed tensor, a wrong slice length
)

// Error is the failure of one operation. Operations panic with it and [Run] returns it.
type Error struct {
	Op       string // "matmul"
	Kind     Kind
	Message  string   // libtorch's, without its C++ stack
	Operands []string // "[32 768]", or "name [32 768]" for parameters
	Caller   string   // "model/qformer.go:88", the nearest line outside this package
}

func (e *Error) Error() string {
	s := "torch: " + e.Op
	if e.Caller != "" {
		s += " at " + e.Caller
	}
	s += ": " + e.Message
	if len(e.Operands) > 0 {
		s += "; operands " + strings.Join(e.Operands, " ")
	}
	return s
}

// raise panics with the error of a call; operands may hold nil.
func raise(op string, e *C.esp_error, operands ...*Tensor) {
	kind, message := taken(e)
	misuse(op, kind, message, operands...)
}

func misuse(op string, kind Kind, message string, operands ...*Tensor) {
	e := &Error{Op: op, Kind: kind, Message: message, Caller: caller()}
	for _, t := range operands {
		if t != nil && t.c != nil {
			e.Operands = append(e.Operands, strings.TrimSpace(t.Name()+" "+fmt.Sprint(t.Shape())))
		}
	}
	panic(e)
}

// check panics when a call without a tensor result failed.
func check(op string, s C.esp_status, operands ...*Tensor) {
	if s.error != nil {
		raise(op, s.error, operands...)
	}
}

// number is the value of a call that gives one; it panics when the call failed.
func number(op string, n C.esp_number, operands ...*Tensor) int {
	if n.error != nil {
		raise(op, n.error, operands...)
	}
	return int(n.value)
}

// statusError is check for functions that return errors.
func statusError(op string, s C.esp_status) error {
	if s.error == nil {
		return nil
	}
	kind, message := taken(s.error)
	return &Error{Op: op, Kind: kind, Message: message}
}

// taken is what an error says; the error is freed. One without a message found no memory for it.
func taken(e *C.esp_error) (kind Kind, message string) {
	kind, message = Kind(e.kind), "out of memory"
	if e.message != nil {
		message = firstLine(C.GoString(e.message))
	}
	C.esp_error_free(e)
	return kind, message
}

// firstLine keeps what a person reads: libtorch appends hints and stacks in further lines.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSuffix(s, ".")
}

// caller is the nearest line outside torch and its helper packages, as "folder/file.go:line".
func caller() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		inside := strings.HasPrefix(f.Function, "espalier/torch.") || strings.HasPrefix(f.Function, "espalier/torch/nn.") ||
			strings.HasPrefix(f.Function, "runtime.")
		if f.File != "" && (!inside || strings.HasSuffix(f.File, "_test.go")) {
			parts := strings.Split(f.File, "/")
			return fmt.Sprintf("%s:%d", strings.Join(parts[max(0, len(parts)-2):], "/"), f.Line)
		}
		if !more {
			return ""
		}
	}
}
