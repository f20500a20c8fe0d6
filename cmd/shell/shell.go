// Package shell is what every command does at its border: it keeps control characters of names away from the terminal, and
// catches the program's own faults.
package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unicode"
	"unicode/utf8"

	"espalier/pipeline/fault"
	"espalier/pipeline/process"
	"espalier/torch/disk"
)

// Fault is the exit status of a fault of the program itself.
const Fault = fault.PanicStatus

// Main runs a command and gives its exit status. A panic, also one that was caught as a *fault.Panic and is raised again, is told
// in a line, with the file that its stack is in.
func Main(name string, stderr io.Writer, command func() int) (status int) {
	defer func() {
		if r := recover(); r != nil {
			text, stack := fmt.Sprintf("%s: a fault of the program: %v", name, r), debug.Stack()
			if p, ok := r.(*fault.Panic); ok {
				text, stack = fmt.Sprintf("%s: %v", name, p), p.Stack
			}
			where := "its stack could not be written"
			if file, err := writeStack(name, text, stack); err == nil {
				where = "its stack is in " + file
			}
			fmt.Fprintf(stderr, "%s; %s: please report it with that file, as README.md says. Started again, a run goes on from what it has kept\n", Escape(text), where)
			status = Fault
		}
	}()
	if err := process.Reserve(); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return command()
}

// Raise raises a panic again that was caught elsewhere, so that Main tells it. Other errors, and nil, are left alone.
func Raise(err error) {
	var p *fault.Panic
	if errors.As(err, &p) {
		panic(p)
	}
}

func writeStack(name, text string, stack []byte) (file string, err error) {
	f, err := os.MkdirTemp("", "espalier-"+name+"-*")
	if err != nil {
		return "", err
	}
	file = f + "/stack.txt"
	return file, disk.Write(file, []byte(text+"\n\n"+string(stack)))
}

// Escape shows control characters, characters that turn the direction of writing, and bytes that are no UTF-8 as Go would
// write them: \x1b. Line ends and tabs stay.
func Escape(text string) string {
	if clean(text) {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&out, `\x%02x`, text[0])
		} else if shown(r) {
			out.WriteString(text[:size])
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			if r == 0x7f {
				quoted = `'\u007f'` // JSON writes the others as Go does, or has escaped them itself
			}
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return out.String()
}

func clean(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if !shown(r) {
			return false
		}
	}
	return true
}

// turning are the characters that change the direction of what follows: a name could show another one than it is.
func turning(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func shown(r rune) bool {
	return r == '\n' || r == '\t' || !unicode.IsControl(r) && !turning(r) && r != 0x2028 && r != 0x2029
}

// Writer escapes what is written to w. A letter that ends in the next write waits for it, as behind a buffer. Goroutines may share it.
func Writer(w io.Writer) io.Writer { return &writer{w: w} }

type writer struct {
	w    io.Writer
	lock sync.Mutex
	rest []byte // of a letter
}

func (w *writer) Write(p []byte) (int, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	text := append(w.rest, p...)
	end := len(text)
	for at := max(0, end-utf8.UTFMax+1); at < end; at++ {
		if utf8.RuneStart(text[at]) && !utf8.FullRune(text[at:]) {
			end = at
		}
	}
	w.rest = slices.Clone(text[end:])
	if _, err := io.WriteString(w.w, Escape(string(text[:end]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Heard writes to w as long as somebody reads there: that a reader is gone, as head is behind a pipe, is no fault of the writer. The program must
// not be ended by SIGPIPE.
func Heard(w io.Writer) io.Writer { return &heard{w: w} }

type heard struct {
	w    io.Writer
	gone atomic.Bool
}

func (h *heard) Write(p []byte) (int, error) {
	if h.gone.Load() {
		return len(p), nil
	}
	n, err := h.w.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		h.gone.Store(true)
		return len(p), nil
	}
	return n, err
}
