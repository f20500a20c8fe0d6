package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"espalier/cmd/shell"
	"espalier/pipeline/event"
)

// display shows a run's events: on a terminal a bar for the phase at work, with results scrolling above it; else
// plain lines. It may be called from any goroutine.
type display struct {
	out      io.Writer
	terminal bool
	past     bool // what is told is over already: no bars, and of each phase its summary alone
	width    int
	bold     func(string) string
	now      func() time.Time // when what is told has happened
	clock    func() time.Time // what bars show the time by

	mutex   sync.Mutex
	course  course
	phase   *tracker // nil between phases
	latest  event.Phase
	bar     *bar // the phase's, on a terminal
	printed time.Time
	told    int // Done, when a plain line was last printed
}

func newDisplay(out *os.File) *display {
	d := &display{out: out, terminal: isTerminal(out), width: tableWidth(out), now: time.Now, clock: time.Now}
	d.bold = bold(d.terminal)
	if !d.terminal { // whose width bars ask for
		d.out = shell.Heard(out)
	}
	return d
}

// silent is a display that shows nothing.
func silent() *display {
	return &display{out: io.Discard, past: true, bold: plainly, now: time.Now, clock: time.Now}
}

func (d *display) event(e event.Event) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	switch e := e.(type) {
	case event.Phase:
		d.end()
		d.begin(e)
	case event.Progress:
		d.progress(e)
	case event.Note:
		d.print(e.Text)
	case event.Outline:
		d.course = course{work: slices.Clone(e.Work)}
	case event.Curve, event.Step, event.Histograms, event.Answers, event.Start, event.End: // for files
	default:
		d.end() // a result is the outcome of the phase, and is read after it
		if e, ok := e.(event.Divided); ok {
			_ = drawTable(d.out, e.Target.DivisionTable(), d.width, d.bold) // at worst the next line fails too
		}
		if text := result(e); text != "" {
			fmt.Fprintln(d.out, shell.Escape(text))
		}
	}
}

// close ends the bar and leaves the cursor on a line of its own.
func (d *display) close() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.end()
}

func (d *display) begin(p event.Phase) {
	now := d.now()
	d.latest, d.phase = p, &tracker{phase: p, began: now, rest: d.course.begin(p)}
	d.printed, d.told = now, 0
	d.draw()
}

// draw begins the bar of the phase, where there is to be one.
func (d *display) draw() {
	if d.terminal && !d.past && d.phase != nil {
		d.bar = newBar(d.out, d.phase, d.clock)
	}
}

// at says when what is told next has happened.
func (d *display) at(when time.Time) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.now = func() time.Time { return when }
}

// live goes on with what happens now.
func (d *display) live() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.past = false
	d.draw()
}

func (d *display) end() {
	if d.bar != nil {
		d.bar.remove()
		d.bar = nil
	}
	if d.phase != nil {
		fmt.Fprintln(d.out, shell.Escape(d.phase.summary(d.now())))
		seconds, done := d.phase.work(d.now())
		d.course.end(d.phase.phase, seconds, done)
		d.phase = nil
	}
}

// quiet and patience bound the plain lines: never two within quiet, and between quiet and patience only after
// another tenth of the phase.
const quiet, patience = 5 * time.Second, 30 * time.Second

func (d *display) progress(p event.Progress) {
	if d.phase == nil { // a result has ended the phase, and yet it goes on
		d.begin(d.latest)
	}
	now := d.now()
	d.phase.Lock()
	d.phase.progress(p, now)
	d.phase.Unlock()
	if d.terminal || d.past {
		return // the bar reads the tracker at its own pace
	}
	since := now.Sub(d.printed)
	if p.Done < p.Total && (since >= patience || since >= quiet && 10*(p.Done-d.told) >= p.Total) {
		fmt.Fprintln(d.out, shell.Escape(d.phase.status(now)))
		d.printed, d.told = now, p.Done
	}
}

// print puts a line above the bar. The bar is taken away and drawn anew, since mpb writes such lines at its next
// refresh, and drops them when there is none.
func (d *display) print(text string) {
	text = shell.Escape(text)
	if d.bar == nil {
		fmt.Fprintln(d.out, text)
		return
	}
	d.bar.remove()
	fmt.Fprintln(d.out, "\r"+text) // the terminal's own ^C leaves the cursor in column 2
	d.draw()
}

// bar is one phase on a terminal. Each has a container of its own, so that nothing of it is drawn once it is
// removed and the next line can be printed plainly.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
}

// leastBar is the bar's width for which text gives way, and roomy that of a terminal on which headings stand in columns.
const leastBar, roomy = 10, 60

// newBar draws what t says.
func newBar(out io.Writer, t *tracker, now func() time.Time) *bar {
	text := func(of func(room int) string) decor.Decorator {
		return decor.Any(func(s decor.Statistics) string {
			t.Lock()
			defer t.Unlock()
			return shell.Escape(of(s.AvailableWidth))
		})
	}
	style := mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("╸").Padding(" ").Build()
	fill := filler(func(w io.Writer, s decor.Statistics) error {
		t.Lock()
		s.Total, s.Current = int64(t.last.Total), int64(t.last.Done)
		t.Unlock()
		if s.Total <= 0 {
			return nil // nothing to count: the name and the time alone
		}
		return style.Fill(w, s)
	})
	container := mpb.New(mpb.WithOutput(out), mpb.WithRefreshRate(100*time.Millisecond))
	// A total of 0 keeps mpb from ending the bar by itself when the count is full.
	b := container.New(0, fill, mpb.BarFillerTrim(),
		mpb.PrependDecorators(text(func(room int) string {
			if room < roomy {
				return runewidth.Truncate(strings.TrimSpace(t.phase.Stage+" "+t.name()), room/2, "…") + " "
			}
			return heading(t.phase.Stage, t.name())
		})),
		mpb.AppendDecorators(text(func(room int) string { return t.beside(now(), room) })))
	return &bar{container, b}
}

// filler draws the bar itself, between its decorators.
type filler func(io.Writer, decor.Statistics) error

func (f filler) Fill(w io.Writer, s decor.Statistics) error { return f(w, s) }
func (f filler) Build() mpb.BarFiller                       { return f }

func (b *bar) remove() {
	b.bar.Abort(true)
	b.container.Wait()
}
