package torch

// #include "espalier.h"
import "C"

import (
	"errors"
	"fmt"
	"iter"
)

// callback runs a user's function that C++ called, and answers with its tensor and nil, or with what ended it. Neither a
// panic nor runtime.Goexit (a test's FailNow) may unwind the C++ frames below: a panic is recovered, and since Go cannot
// stop a Goexit, f runs on a coroutine, on this very thread, and one that exits is left where its last deferred function
// stands.
func callback(what string, f func() *C.esp_tensor) C.esp_hook_answer {
	var answer C.esp_hook_answer
	ended := false
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			r := recover()
			switch {
			case r != nil:
				answer.error, answer.kind = C.CString(fmt.Sprintf("%s: %v", what, r)), C.ESP_ERROR_CALLBACK
				var e *Error
				if err, ok := r.(error); ok && errors.As(err, &e) && e.Kind == KindMemory { // whoever can do with less must see it
					answer.kind = C.ESP_ERROR_MEMORY
				}
			case !ended:
				answer.error, answer.kind = C.CString(what+": it called runtime.Goexit, as FailNow of a test does"), C.ESP_ERROR_CALLBACK
				yield(struct{}{}) // never comes back
			}
			ended = true
		}()
		answer.grad = f()
		ended = true
	})
	next()
	if ended {
		stop()
	}
	return answer
}
