package pipeline

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/journal"
	"espalier/torch/torchtest"
)

// linesOf are a run's lines of events.jsonl, each of which can be read.
func linesOf(t *testing.T, text []byte) (out []event.Event) {
	t.Helper()
	for line := range bytes.Lines(text) {
		_, e, err := event.ParseLine(line)
		require.NoError(t, err, string(line))
		out = append(out, e)
	}
	return out
}

// numbersOf are the rows of a run's metrics.csv without their times and without what tells kept results from others.
func numbersOf(t *testing.T, output string) (rows []string, kept int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(output, journal.MetricsName))
	require.NoError(t, err)
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	for _, row := range all[1:] {
		rows = append(rows, strings.Join(row[1:7], "|"))
		if row[7] == "true" {
			kept++
		}
	}
	return rows, kept
}

// checkJournal holds the files of a tiny run's first start against what a start must tell, and those of a second one, which found all its
// results, against them.
func checkJournal(t *testing.T, first, second []byte, before, after []string, kept int) {
	t.Helper()
	begun, again := linesOf(t, first), linesOf(t, second)
	for _, lines := range [][]event.Event{begun, again} {
		require.IsType(t, event.Start{}, lines[0])
		end, ok := lines[len(lines)-1].(event.End)
		require.True(t, ok)
		assert.Equal(t, event.Done, end.Result)
		assert.Equal(t, journal.ReportName, end.Report)
	}
	count := func(lines []event.Event, such func(event.Event) bool) (n int) {
		for _, e := range lines {
			if such(e) {
				n++
			}
		}
		return n
	}
	steps := func(kept bool) func(event.Event) bool {
		return func(e event.Event) bool { s, ok := e.(event.Step); return ok && s.Kept == kept }
	}
	computed := count(begun, steps(false))
	assert.Greater(t, computed, 30)
	assert.Zero(t, count(begun, steps(true)))
	assert.Equal(t, computed, count(again, steps(true)))
	assert.Zero(t, count(again, steps(false)))
	for what, told := range map[string]func(event.Event) (is, kept bool){
		"teacher":  func(e event.Event) (bool, bool) { m, is := e.(event.TeacherMeasured); return is, m.Kept },
		"students": func(e event.Event) (bool, bool) { m, is := e.(event.StageMeasured); return is, m.Kept },
		"cuts":     func(e event.Event) (bool, bool) { m, is := e.(event.Cut); return is, m.Kept },
		"gates":    func(e event.Event) (bool, bool) { m, is := e.(event.GateResult); return is, m.Kept },
	} {
		of := func(want bool) func(event.Event) bool {
			return func(e event.Event) bool { is, kept := told(e); return is && kept == want }
		}
		assert.Positive(t, count(begun, of(false)), what)
		assert.Zero(t, count(begun, of(true)), what)
		assert.Equal(t, count(begun, of(false)), count(again, of(true)), what)
		assert.Zero(t, count(again, of(false)), what)
	}

	checkOutline(t, begun)

	slices.Sort(before)
	slices.Sort(after)
	assert.Equal(t, before, after, "kept results carry their curves")
	assert.Len(t, after, kept)
	text := strings.Join(before, "\n") + "\n"
	for _, row := range []string{"teacher|train|learn|5|loss|", "teacher|train|refine|2|learning_rate|", "hidden|distil|cut 2/2|3|gradient_norm|", "teacher|measured||0|accuracy/overall|",
		"blocks|measured|pruned|1|", "hidden|measured|distilled|6|latency_ms/p50|", "hidden|gate||3|drop|", "hidden|cut||2|parameters|"} {
		assert.Contains(t, text, "\n"+row)
	}
}

// signalled is the cause of a context that SIGTERM ended.
type signalled struct{ error }

func (signalled) Status() int         { return 143 }
func (signalled) Is(other error) bool { return other == context.Canceled }

// A run that a signal or a panic ends has a last line with the command's exit status.
func TestLastLineOfAnEndedRun(t *testing.T) {
	torchtest.Setup(t)
	last := func(ctx context.Context, in string, happens func()) (event.End, error) {
		folder, phase := filepath.Join(t.TempDir(), "run"), ""
		_, err := runWith(ctx, tinyConfig(t, folder), func(e event.Event) {
			switch e := e.(type) {
			case event.Phase:
				phase = e.Name
			case event.Progress:
				if phase == in {
					happens()
				}
			}
		})
		text, failed := os.ReadFile(filepath.Join(folder, journal.EventsName))
		require.NoError(t, failed)
		lines := linesOf(t, text)
		require.IsType(t, event.End{}, lines[len(lines)-1])
		end := lines[len(lines)-1].(event.End)
		end.Seconds = 0
		return end, err
	}
	for _, phase := range []string{"train", "measure"} {
		ctx, cancel := context.WithCancelCause(context.Background())
		end, err := last(ctx, phase, func() { cancel(signalled{errors.New("stopped by terminated")}) })
		assert.ErrorIs(t, err, context.Canceled)
		assert.Contains(t, end.Error, "stopped by terminated")
		end.Error = ""
		assert.Equal(t, event.End{Result: event.Stopped, Status: 143}, end)
	}
	end, err := last(context.Background(), "train", func() { panic("index out of range") })
	assert.ErrorAs(t, err, new(*fault.Panic))
	assert.Equal(t, event.End{Result: event.Failed, Status: 70, Error: "a fault of the program: index out of range"}, end)
}

// checkOutline holds the work that was foreseen against the phases of a run that made all of it.
func checkOutline(t *testing.T, told []event.Event) {
	t.Helper()
	at := slices.IndexFunc(told, func(e event.Event) bool { _, is := e.(event.Outline); return is })
	require.Positive(t, at)
	work, group := told[at].(event.Outline).Work, 0
	for _, e := range told[at:] {
		p, is := e.(event.Phase)
		if !is {
			continue
		}
		i := slices.IndexFunc(work, func(w event.Work) bool { return w.Times > 0 && w.Is(p) })
		require.GreaterOrEqual(t, i, 0, "%v was not foreseen", p)
		assert.GreaterOrEqual(t, work[i].Group, group, "%v comes later than was foreseen", p)
		group = work[i].Group
		work[i].Times--
	}
	for _, w := range work {
		assert.Zero(t, w.Times, "%v was foreseen", w)
		assert.Positive(t, w.Weight)
	}
}
