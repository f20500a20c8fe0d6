package torch

// #include "espalier.h"
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// Scope owns the tensors that are made while it is the innermost one of its thread.
type Scope struct {
	slot   int32
	parent *Scope
	lists
}

// lists are what a scope holds. The next scope with the same number takes over their memory.
type lists struct {
	own    []*Tensor
	handle []*C.esp_tensor // of those, for freeing them in one call
}

// Scopes are found by number: the shim keeps the number for each thread and sends it along with every result.
var scopes struct {
	sync.Mutex
	table [maxScopes]*Scope
	spare [maxScopes]lists
	free  []int32
	used  int32
}

const maxScopes = 4096 // open at the same time, over all threads; 0 means none

// Run calls f in a new scope and frees, when f ends, every tensor made in it but those given to [Scope.Keep], which
// pass to the enclosing scope. Scopes nest. The goroutine keeps its thread meanwhile; grad mode, autocast and scope are
// as before on every way out. A panic of an operation comes back as its *Error; other panics pass through.
func Run(f func(s *Scope) error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := openScope()
	grad := C.esp_grad_mode_get()
	kept := false
	defer func() {
		r := recover()
		C.esp_grad_mode_set(grad)
		s.close(kept && r == nil)
		if r == nil {
			return
		}
		e, ok := r.(*Error)
		if !ok {
			panic(r)
		}
		err = e
	}()
	err = f(s)
	kept = err == nil
	return err
}

func openScope() *Scope {
	s := &Scope{}
	scopes.Lock()
	if n := len(scopes.free); n > 0 {
		s.slot = scopes.free[n-1]
		scopes.free = scopes.free[:n-1]
	} else if scopes.used < maxScopes-1 {
		scopes.used++
		s.slot = scopes.used
	} else {
		scopes.Unlock()
		misuse("scope", KindMisuse, fmt.Sprintf("more than %d scopes open at once", maxScopes-1))
	}
	scopes.table[s.slot] = s
	s.lists, scopes.spare[s.slot] = scopes.spare[s.slot], lists{}
	scopes.Unlock()
	if before := int32(C.esp_scope_set(C.int32_t(s.slot))); before != 0 {
		s.parent = scopes.table[before]
	}
	return s
}

// Keep passes tensors to the enclosing scope (or, from the outermost one, to the caller) when the scope ends without
// an error. Tensors of other scopes, and nil, are left alone; a nil scope keeps nothing.
func (s *Scope) Keep(ts ...*Tensor) {
	if s == nil {
		return
	}
	for _, t := range ts {
		if t != nil && t.scope == s {
			t.kept = true
		}
	}
}

func (s *Scope) close(keep bool) {
	var parent C.int32_t
	if s.parent != nil {
		parent = C.int32_t(s.parent.slot)
	}
	C.esp_scope_set(parent)
	for _, t := range s.own {
		switch {
		case t == nil:
		case keep && t.kept:
			t.kept = false
			t.moveTo(s.parent)
		default:
			s.handle = append(s.handle, t.c)
			t.c, t.scope = nil, nil
		}
	}
	if len(s.handle) > 0 {
		C.esp_tensors_free(C.esp_tensors{data: (**C.esp_tensor)(unsafe.Pointer(&s.handle[0])), count: C.int64_t(len(s.handle))})
	}
	clear(s.own) // or they would keep the Go side of the tensors alive
	scopes.Lock()
	scopes.table[s.slot] = nil
	scopes.spare[s.slot] = lists{s.own[:0], s.handle[:0]}
	scopes.free = append(scopes.free, s.slot)
	scopes.Unlock()
}

// moveTo hands t to a scope, or to the collector's clean-up when there is none.
func (t *Tensor) moveTo(s *Scope) {
	t.scope = s
	if s != nil {
		t.index = int32(len(s.own))
		s.own = append(s.own, t)
		return
	}
	c := runtime.AddCleanup(t, func(c *C.esp_tensor) { C.esp_tensor_free(c) }, t.c)
	t.cleanup = &c
}

// forget takes t off the list, which ends with a tensor or is empty: a loop that frees what it makes does not lengthen it.
func (s *Scope) forget(t *Tensor) {
	s.own[t.index] = nil
	for n := len(s.own); n > 0 && s.own[n-1] == nil; n-- {
		s.own = s.own[:n-1]
	}
}

// adopt makes the Go tensor of a new handle, owned by the numbered scope.
func adopt(c *C.esp_tensor, scope C.int32_t) *Tensor {
	t := &Tensor{c: c}
	if scope == 0 {
		t.moveTo(nil)
	} else {
		t.moveTo(scopes.table[scope])
	}
	return t
}

// Free gives the memory back now. A freed tensor must not be used; freeing twice, or nil, does nothing.
func (t *Tensor) Free() {
	if t == nil || t.c == nil || t.lent {
		return
	}
	if t.scope != nil {
		t.scope.forget(t)
	} else if t.cleanup != nil {
		t.cleanup.Stop()
	}
	C.esp_tensor_free(t.c)
	t.c, t.scope = nil, nil
}

// Release takes t out of every scope: it then lives until Free, or until Go's collector finds it unreachable. It is
// meant for what outlives the steps of a run, such as parameters. It returns t.
func (t *Tensor) Release() *Tensor {
	if t.ptr(); t.scope != nil {
		t.scope.forget(t)
		t.moveTo(nil)
	}
	return t
}
