package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/journal"
	"espalier/pipeline/report"
)

// written is a run folder in which a run has told some events, a second apart.
func written(t *testing.T, folder string, events ...event.Event) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(folder, journal.EventsName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer f.Close()
	text, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	var now event.Phase
	for i, e := range events {
		if p, ok := e.(event.Phase); ok {
			now = p
		}
		line, err := event.Line(start.Add(time.Duration(bytes.Count(text, []byte("\n"))+i)*time.Second), now, e)
		require.NoError(t, err)
		_, err = f.Write(append(line, '\n'))
		require.NoError(t, err)
	}
}

func TestWatchAFinishedRun(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, event.Start{}, event.Phase{Stage: "teacher", Name: "train"}, event.Note{Text: "an earlier start"})
	written(t, folder, event.Start{}, event.Phase{Stage: "hidden", Name: "distil"}, event.Progress{Done: 5, Total: 10, Unit: "steps"},
		event.Progress{Done: 10, Total: 10, Unit: "steps"}, event.Step{At: "hidden/distil 1"}, event.Cut{Stage: "hidden", Cut: 1, Of: 1, Parameters: 5},
		event.End{Result: event.Refused, Error: "stage hidden was not accepted", Report: journal.ReportName})
	require.NoError(t, sample(t).Write(filepath.Join(folder, journal.ReportName)))
	status, stdout, stderr := launch(t, nil, "watch", folder)
	assert.Equal(t, 3, status)
	assert.Equal(t, "stage hidden was not accepted\n", stderr)
	assert.True(t, strings.HasPrefix(stdout, "hidden   distil            10/10 steps · 4.0 s\nhidden   cut 1/1           5 · slice − mask 0.0e+00\n\n"), stdout)
	assert.Contains(t, stdout, "Gates")
	assert.NotContains(t, stdout, "\x1b")
}

// The exit status is the run's own, which says the signal and knows faults of the program. Lines of earlier versions have none.
func TestWatchEndsAsTheRun(t *testing.T) {
	for want, end := range map[int]event.End{
		0: {Result: event.Done}, 1: {Result: event.Failed, Status: 1}, 2: {Result: event.Input, Status: 2}, 3: {Result: event.Refused},
		130: {Result: event.Stopped}, 143: {Result: event.Stopped, Status: 143}, 70: {Result: event.Failed, Status: 70},
	} {
		folder := t.TempDir()
		written(t, folder, event.Start{}, end)
		status, _, _ := launch(t, nil, "watch", folder)
		assert.Equal(t, want, status, "%v", end)
	}
}

// What the run tells while it is watched is shown; it ends with the run, also where the run starts again by itself.
func TestWatchARunAtWork(t *testing.T) {
	folder, out := t.TempDir(), &bytes.Buffer{}
	written(t, folder, event.Start{}, event.Phase{Name: "data"}, event.Progress{Done: 1, Total: 2})
	looks := 0
	w := watcher{folder: folder, show: &display{out: out, bold: plain, clock: time.Now}, running: func(string) bool { return true }, pause: func() {
		switch looks++; looks {
		case 1:
			written(t, folder, event.Progress{Done: 2, Total: 2}, event.End{Result: event.Again})
		case 2:
			written(t, folder, event.Start{}, event.Phase{Stage: "blocks", Name: "score"}, event.Note{Text: "a note"})
		case 3:
			written(t, folder, event.End{Result: event.Done})
		default:
			t.Fatal("it does not end")
		}
	}}
	end, err := w.follow(context.Background())
	require.NoError(t, err)
	w.show.close()
	assert.Equal(t, event.Done, end.Result)
	assert.Equal(t, []string{"run      data              2/2 · 5.0 s", "a note", "blocks   score             2.0 s"}, strings.Split(strings.TrimSpace(out.String()), "\n"))
}

// A run that was killed has no last line, and nobody holds its folder.
func TestWatchAKilledRun(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, event.Start{}, event.Phase{Name: "data"})
	status, stdout, stderr := launch(t, nil, "watch", folder)
	assert.Equal(t, 1, status)
	assert.Contains(t, stdout, "run      data")
	assert.Contains(t, stderr, "the command that began it goes on from there")

	// One that dies while it is watched is found after a while; lines that it wrote last are shown.
	looks, asked := 0, 0
	w := watcher{folder: folder, show: &display{out: &bytes.Buffer{}, bold: plain, clock: time.Now}, pause: func() { looks++ }, running: func(string) bool {
		if asked++; asked == 2 {
			written(t, folder, event.Note{Text: "last"})
		}
		return asked == 1
	}}
	_, err := w.follow(context.Background())
	assert.ErrorContains(t, err, "gone without a last word")
	assert.Equal(t, 3, asked)
	assert.Greater(t, looks, patient)
}

func TestWatchWhatIsNoRun(t *testing.T) {
	status, _, stderr := launch(t, nil, "watch", filepath.Join(t.TempDir(), "none"))
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "no run has begun there")
	status, _, stderr = launch(t, nil, "watch")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "usage: pipeline watch RUN")
	ctx, stop := context.WithCancel(context.Background())
	folder := t.TempDir()
	written(t, folder, event.Start{})
	w := watcher{folder: folder, show: silent(), pause: stop, running: func(string) bool { return true }}
	_, err := w.follow(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

// With -json there is nothing on stdout but the run's lines, whatever it shows otherwise.
func TestJSON(t *testing.T) {
	r := sample(t)
	status, stdout, stderr := launch(t, telling(r), "-c", job, "-json")
	assert.Equal(t, 0, status)
	assert.Empty(t, stderr)
	assert.Equal(t, "{\"what\":\"line\"}\n", stdout)
	status, stdout, _ = launch(t, telling(r), "-c", job)
	assert.Equal(t, 0, status)
	assert.Contains(t, stdout, "a note")
	assert.Contains(t, stdout, "3 hidden")
	for _, args := range [][]string{{"-json", "-verify", "runs/x"}, {"-json", "-c", "../../experiments/stages.toml"}} {
		status, _, stderr := launch(t, telling(r), args...)
		assert.Equal(t, 2, status)
		assert.NotEmpty(t, stderr)
	}
}

// telling is a run that tells a note, and a line to who asked for lines.
func telling(r *report.Report) runner {
	return func(_ context.Context, _ *config.Config, o pipeline.Options) (*report.Report, error) {
		o.Events.Note("a note")
		if o.Lines != nil {
			_, _ = o.Lines.Write([]byte("{\"what\":\"line\"}\n"))
		}
		return r, nil
	}
}
