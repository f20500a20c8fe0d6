package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/pipeline/event"
)

// screen is a terminal of a width.
type screen struct {
	tty, main *os.File
	changed   *sync.Cond
	text      string // that was written to it
	closed    bool
}

func newScreen(t *testing.T, columns uint16) *screen {
	t.Helper()
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	require.NoError(t, unix.IoctlSetPointerInt(int(main.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(main.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
	s := &screen{tty: tty, main: main, changed: sync.NewCond(&sync.Mutex{})}
	go func() {
		buffer := make([]byte, 4096)
		for err := error(nil); err == nil; { // until the last writer is gone
			var n int
			n, err = main.Read(buffer)
			s.changed.L.Lock()
			s.text, s.closed = s.text+string(buffer[:n]), err != nil
			s.changed.L.Unlock()
			s.changed.Broadcast()
		}
	}()
	return s
}

// await waits until the screen has something.
func (s *screen) await(has func(text string) bool) {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	for !has(s.text) && !s.closed {
		s.changed.Wait()
	}
}

// close gives all that was written.
func (s *screen) close(t *testing.T) string {
	t.Helper()
	require.NoError(t, s.tty.Close())
	s.await(func(string) bool { return false })
	require.NoError(t, s.main.Close())
	return s.text
}

// escapes are what moves the cursor or gives colours.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// On a terminal of any width a bar is one line, or it could not be taken away again, and all words are there afterwards.
func TestBarsFitTheTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for _, columns := range []uint16{20, 40, 80, 200} {
		screen := newScreen(t, columns)
		d := newDisplay(screen.tty)
		require.True(t, d.terminal)
		d.event(event.Outline{Work: []event.Work{{Stage: "hidden", Phase: "measure", Times: 1, Group: 1, Weight: 1}, {Stage: "inner", Phase: "distil", Times: 1, Group: 2, Weight: 100}}})
		loss := .5
		d.event(event.Phase{Stage: "hidden", Name: "measure", Detail: "distilled the gate's validation split"})
		d.event(event.Progress{Done: 1, Total: 1000, Unit: "pictures", Loss: &loss})
		d.event(event.Progress{Done: 500, Total: 1000, Unit: "pictures", Loss: &loss})
		screen.await(func(text string) bool { return strings.Contains(text, "left") || strings.Contains(text, "…") })
		d.bar.remove()
		d.bar = nil
		fmt.Fprint(screen.tty, "\r#\r")
		d.close()
		bars, summary, _ := strings.Cut(screen.close(t), "#")
		drawn := 0
		for part := range strings.FieldsFuncSeq(escapes.ReplaceAllString(bars, "\r"), func(r rune) bool { return r == '\r' || r == '\n' }) {
			drawn++
			assert.LessOrEqual(t, runewidth.StringWidth(part), int(columns), "%q", part)
		}
		assert.Positive(t, drawn)
		assert.Contains(t, summary, "500/1000 pictures · loss 0.5000 · ", "it stays, and wraps as any line does")
	}
}

// No colours where NO_COLOR asks for none, and nothing but lines where the output is no terminal.
func TestColours(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	screen := newScreen(t, 80)
	tty := screen.tty
	assert.Equal(t, "\x1b[1mx\x1b[0m", newDisplay(tty).bold("x"))
	t.Setenv("NO_COLOR", "1")
	assert.Equal(t, "x", newDisplay(tty).bold("x"))
	assert.True(t, newDisplay(tty).terminal, "bars are no colours")
	t.Setenv("TERM", "dumb")
	assert.False(t, newDisplay(tty).terminal)
	screen.close(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	piped := newDisplay(w)
	assert.False(t, piped.terminal)
	assert.Equal(t, "x", piped.bold("x"))
}
