package torch

// #include <stdlib.h>
// #include "espalier.h"
import "C"

import (
	"archive/zip"
	"espalier/torch/disk"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime"
	"slices"
	"unsafe"
)

// Module is a TorchScript module: parameters, and methods that run without Go. It is made by [NewModule] and traced with
// [Module.Trace], or read from a file that any program may have written.
type Module struct {
	c       *C.esp_module
	cleanup runtime.Cleanup
}

// Operand is what a method takes or gives: a tensor, or a list of tensors.
type Operand struct {
	Tensor *Tensor
	List   []*Tensor // where Tensor is nil
}

// Operands are tensors, each for itself.
func Operands(ts ...*Tensor) []Operand {
	out := make([]Operand, len(ts))
	for i, t := range ts {
		out[i].Tensor = t
	}
	return out
}

// NewModule is a module without methods. Parameters go into submodules where their names have dots, so that its state
// has the names of a checkpoint. The module shares their memory, and knows them by their identity: what [Module.Trace]
// records must use the very same tensors.
func NewModule(class string, parameters map[string]*Tensor) (*Module, error) {
	m := &Module{}
	name := C.CString(class)
	defer C.free(unsafe.Pointer(name))
	if err := statusError("module", C.esp_module_new(name, &m.c)); err != nil {
		return nil, err
	}
	m.adopt()
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		name := C.CString(key)
		err := statusError("module", C.esp_module_parameter(m.c, name, parameters[key].ptr()))
		C.free(unsafe.Pointer(name))
		runtime.KeepAlive(parameters[key])
		if err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

// LoadModule reads a TorchScript file and brings its tensors to a device.
func LoadModule(file string, on Device) (*Module, error) {
	whole, _, err := disk.Open(file) // libtorch's reader would wait for a pipe
	if err != nil {
		return nil, fmt.Errorf("torch: module: %w", err)
	}
	whole.Close()
	m := &Module{}
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	if err := statusError("load", C.esp_module_load(name, C.int32_t(on), &m.c)); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m.adopt()
	return m, nil
}

func (m *Module) adopt() {
	m.cleanup = runtime.AddCleanup(m, func(c *C.esp_module) { C.esp_module_free(c) }, m.c)
}

// Close frees the module; its parameters live on where others hold them.
func (m *Module) Close() {
	if m.c != nil {
		m.cleanup.Stop()
		C.esp_module_free(m.c)
		m.c = nil
	}
}

// ptr is the handle for a call that needs the module.
func (m *Module) ptr(op string) *C.esp_module {
	if m == nil || m.c == nil {
		misuse(op, KindMisuse, "the module is closed")
	}
	return m.c
}

// Call runs a method. What it gives belongs to the current scope; a method that gives several values has a tuple of them.
// A failure panics with an [Error], as that of every operation does.
func (m *Module) Call(method string, inputs ...Operand) []Operand {
	c := m.ptr(method)
	name := C.CString(method)
	defer C.free(unsafe.Pointer(name))
	tensors, layout := flat(inputs)
	var out C.esp_values
	s := C.esp_module_call(c, name, lend(tensors, layout), &out)
	check(method, s, tensors...)
	defer C.esp_values_free(out)
	handles := unsafe.Slice(out.tensors.data, int(out.tensors.count))
	take := func() *Tensor {
		t := adopt(handles[0], s.scope)
		handles = handles[1:]
		return t
	}
	var given []Operand
	for _, n := range unsafe.Slice(out.layout.data, int(out.layout.count)) {
		if n < 0 {
			given = append(given, Operand{Tensor: take()})
			continue
		}
		list := make([]*Tensor, n)
		for i := range list {
			list[i] = take()
		}
		given = append(given, Operand{List: list})
	}
	runtime.KeepAlive(m)
	return given
}

// flat lays operands out as the C interface has them.
func flat(operands []Operand) (tensors []*Tensor, layout []int) {
	for _, o := range operands {
		if o.Tensor != nil {
			tensors, layout = append(tensors, o.Tensor), append(layout, -1)
			continue
		}
		tensors, layout = append(tensors, o.List...), append(layout, len(o.List))
	}
	return tensors, layout
}

func lend(tensors []*Tensor, layout []int) C.esp_values {
	return C.esp_values{tensors: list(handles(tensors)), layout: ints(layout)}
}

// Save writes the module to a file that torch::jit::load and torch.jit.load read, with further files in it, by name. The
// file appears whole or not at all: it is written beside, synced and renamed.
func (m *Module) Save(file string, extra map[string]string) error {
	if m == nil || m.c == nil {
		return &Error{Op: "save", Kind: KindMisuse, Message: file + ": the module is closed"}
	}
	return disk.WriteNamed(file, func(tmp string) error { return m.write(tmp, extra) }) // the archive's inner folder has the file's name
}

func (m *Module) write(file string, extra map[string]string) error {
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	names := slices.Sorted(maps.Keys(extra))
	contents := make([]string, len(names))
	for i, n := range names {
		contents[i] = extra[n]
	}
	n, c := newCStrings(names), newCStrings(contents)
	defer n.free()
	defer c.free()
	defer runtime.KeepAlive(m)
	return statusError("save", C.esp_module_save(m.c, name, n.data(), c.data(), C.int64_t(len(names))))
}

// ExtraFile reads a file that was saved within a TorchScript file.
func ExtraFile(file, name string) ([]byte, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer z.Close()
	for _, f := range z.File {
		if parent := path.Dir(f.Name); path.Base(f.Name) != name || path.Base(parent) != "extra" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, name, err)
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("%s: there is no extra file %q in it", file, name)
}

// cStrings are strings on C's heap.
type cStrings []*C.char

func newCStrings(v []string) cStrings {
	out := make(cStrings, len(v))
	for i, s := range v {
		out[i] = C.CString(s)
	}
	return out
}

func (s cStrings) data() **C.char {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

func (s cStrings) free() {
	for _, c := range s {
		C.free(unsafe.Pointer(c))
	}
}
