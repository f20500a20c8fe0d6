package fault

import (
	"fmt"
	"runtime/debug"
)

// Panic is a fault of the program on a goroutine of its own, where a panic would end the process before anything is kept.
// Commands tell it as they tell any panic, with its stack.
type Panic struct {
	Value any
	Stack []byte
}

// PanicStatus is the exit status of a fault of the program itself.
const PanicStatus = 70

// Status is the exit status of a command that ends with it.
func (p *Panic) Status() int { return PanicStatus }

func (p *Panic) Error() string { return fmt.Sprintf("a fault of the program: %v", p.Value) }

// Caught, deferred, makes a panic of a function that function's error.
func Caught(err *error) {
	if value := recover(); value != nil {
		*err = &Panic{value, debug.Stack()}
	}
}
