package journal

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/distillation"
	"espalier/pipeline/event"
	"espalier/pipeline/report"
	"espalier/torch/disk"
)

// clocked is a journal whose time the test sets, and what it passes on.
func clocked(folder string) (j *Journal, now *time.Time, notes *[]string) {
	at, told := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), []string{}
	j = New(func(e event.Event) {
		if n, ok := e.(event.Note); ok {
			told = append(told, n.Text)
		}
	}, nil)
	j.now = func() time.Time { return at }
	j.Begin(folder, event.Start{Output: "runs/x"})
	return j, &at, &told
}

func read(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	return string(text)
}

// whats are the kinds of all lines of a run's file, each of which can be read.
func whats(t *testing.T, folder string) (out []string) {
	t.Helper()
	for line := range strings.Lines(read(t, folder, EventsName)) {
		_, _, err := event.ParseLine([]byte(line))
		require.NoError(t, err, line)
		_, rest, _ := strings.Cut(line, `"what":"`)
		what, _, _ := strings.Cut(rest, `"`)
		out = append(out, what)
	}
	return out
}

// A start goes on behind the one before it, and gives each line to who reads along; what was told before it could begin comes after its
// first line.
func TestLinesOfTwoStarts(t *testing.T) {
	folder := t.TempDir()
	for range 2 {
		var out bytes.Buffer
		passed := 0
		j := New(func(event.Event) { passed++ }, &out)
		j.Event(event.Note{Text: "early"})
		j.Begin(folder, event.Start{Output: "runs/x"})
		j.Event(event.Phase{Name: "data"})
		j.Event(event.Finished{})
		j.End(event.Failed, errors.New("disk full"))
		j.Event(event.Note{Text: "late"})
		assert.Equal(t, 4, passed)
		assert.Equal(t, 4, strings.Count(out.String(), "\n"))
		assert.Contains(t, out.String(), `"result":"failed","status":1,"error":"disk full"`)
		assert.Contains(t, out.String(), `"report":"report.json"`)
		assert.Contains(t, out.String(), `"version":1`)
	}
	assert.Equal(t, []string{"start", "note", "phase", "end", "start", "note", "phase", "end"}, whats(t, folder))
	assert.NoFileExists(t, filepath.Join(folder, MetricsName), "there were no numbers")
}

// What a kill or a power cut has torn at the end goes before the next start writes; what is broken further up stays, and is passed
// over.
func TestTornEndsAreMended(t *testing.T) {
	first := `{"time":"2026-01-01T12:00:00.000Z","what":"note","text":"x"}` + "\n"
	long := `{"time":"2026-01-01T12:00:00.000Z","what":"note","text":"` + strings.Repeat("y", tail) + `"}` + "\n"
	for before, want := range map[string]string{
		first + `{"time":"2026-01`:            first,
		first + "\x00\x00\x00\n\x00\n":        first,
		first:                                 first,
		"":                                    "",
		`{"time":"2026-01`:                    "",
		long + "{":                            long,
		first + "broken\n" + first + "br\nok": first + "broken\n" + first,
		"somebody's own\nwords":               "somebody's own\nwords",
		long[:len(long)-1]:                    "",
	} {
		folder := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(folder, EventsName), []byte(before), 0o644))
		j, _, _ := clocked(folder)
		j.End(event.Done, nil)
		text := read(t, folder, EventsName)
		require.True(t, strings.HasPrefix(text, want), "%.80q", before)
		assert.Equal(t, 2, strings.Count(text[len(want):], "\n"), "%.80q", before)
		assert.True(t, strings.HasPrefix(text[len(want):], `{"time":"2026-01-01T12:00:00.000Z","what":"start"`), "%.80q", before)
	}
}

// Of much progress some lines are written: the first and the last of a phase, and between them one a second at the most, or one every ten
// where it is slow.
func TestProgressIsThinnedOut(t *testing.T) {
	folder := t.TempDir()
	j, now, _ := clocked(folder)
	for range 2 {
		j.Event(event.Phase{Stage: "hidden", Name: "distil"})
		for i := range 100 {
			j.Event(event.Progress{Done: i + 1, Total: 100})
			*now = now.Add(35 * time.Millisecond)
		}
	}
	j.Event(event.Phase{Stage: "hidden", Name: "slow"})
	for i := range 40 {
		j.Event(event.Progress{Done: i, Total: 100000})
		*now = now.Add(time.Second)
	}
	j.End(event.Done, nil)
	text := read(t, folder, EventsName)
	assert.Equal(t, 2*5, strings.Count(text, `"distil","done"`))
	assert.Equal(t, 4, strings.Count(text, `"slow","done"`))
	assert.Equal(t, 2, strings.Count(text, `"done":1,`))
	assert.Equal(t, 2, strings.Count(text, `"done":100,`))
}

// A disk that is full is told once for each file. When it has room again, whole lines follow the last whole one.
func TestAFaultOfTheDiskLosesLinesAlone(t *testing.T) {
	folder := t.TempDir()
	j, now, notes := clocked(folder)
	points := func(step int) event.Event { return event.Curve{Points: []distillation.Point{{Step: step}}} }
	j.Event(points(1))
	restore := disk.Intercept(func(op disk.Op, path string) error {
		if op == disk.OpWrite { // a part of what was to be written is there
			require.NoError(t, appended(path, "torn"))
			return unix.ENOSPC
		}
		return nil
	})
	for step := range 3 {
		j.Event(points(step + 2))
		*now = now.Add(retry)
	}
	restore()
	j.Event(points(10))
	j.End(event.Done, nil)
	require.Len(t, *notes, 3)
	assert.Contains(t, (*notes)[2], BoardName)
	assert.Contains(t, (*notes)[0], "write "+filepath.Join(folder, EventsName)+": no space left on device; the run goes on")
	assert.Contains(t, (*notes)[1], MetricsName)
	assert.Equal(t, []string{"start", "curve", "curve", "end"}, whats(t, folder))
	rows := table(t, folder)
	assert.Len(t, rows, 6)
	assert.Equal(t, "10", rows[5]["step"])
	_, text := boardFile(t, folder)
	assert.NotContains(t, text, "torn")
}

func appended(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Something else in a file's place is left alone.
func TestAFolderInAFilesPlace(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, EventsName, "x"), 0o755))
	j, now, notes := clocked(folder)
	*now = now.Add(2 * retry)
	j.Event(event.TeacherMeasured{})
	j.End(event.Done, nil)
	require.Len(t, *notes, 1)
	assert.Contains(t, (*notes)[0], "it is a folder")
	assert.DirExists(t, filepath.Join(folder, EventsName, "x"))
	assert.FileExists(t, filepath.Join(folder, MetricsName))
}

// table is metrics.csv as rows by column.
func table(t *testing.T, folder string) (out []map[string]string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(read(t, folder, MetricsName))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, columns, rows[0])
	for _, row := range rows[1:] {
		fields := map[string]string{}
		for i, name := range columns {
			fields[name] = row[i]
		}
		out = append(out, fields)
	}
	return out
}

func TestMetrics(t *testing.T) {
	folder, short := t.TempDir(), .75
	j, _, _ := clocked(folder)
	model := report.Model{Parameters: 7, Bytes: 28, Accuracy: report.Accuracy{"overall": .5, "colour, bright": .25}, OOD: report.Accuracy{"overall": .125},
		LatencyMS: report.Latency{P50: 2, P99: 3}, Throughput: report.Throughput{AnswersPerS: 10}, Confidence: &report.Confidence{ECE: .05}, Metrics: map[string]report.Accuracy{"anls": {"overall": .5}}}
	j.Event(event.Phase{Stage: "hidden", Name: "distil", Detail: "cut 1/2"})
	j.Event(event.Curve{Points: []distillation.Point{{Step: 5, Loss: .5, LR: 1e-3, Norm: 2}}})
	j.Event(event.Curve{Points: []distillation.Point{{Step: 5, Loss: .5}, {Step: 10, Loss: math.NaN(), LR: 1e-4, Norm: 2}}}) // of a recheck, and then further
	j.Event(event.Curve{Phase: event.Phase{Stage: "teacher", Name: "train", Detail: "learn"}, Kept: true, Points: []distillation.Point{{Step: 1, Loss: 3, LR: 1, Norm: 1}}})
	j.Event(event.TeacherMeasured{Kept: true, Model: model})
	j.Event(event.StageMeasured{Stage: "hidden", When: event.Pruned, Model: report.Model{Parameters: 3}})
	j.Event(event.StageMeasured{Stage: "small/hidden", When: event.Pruned})
	j.Event(event.StageMeasured{Stage: "hidden", When: event.Distilled})
	j.Event(event.Cut{Stage: "hidden", Cut: 2, Parameters: 3, SliceMaskMaxDiff: 1e-13})
	j.Event(event.GateResult{Stage: "hidden", Passed: true, Gate: report.Gate{Limits: report.Limits{Alpha: .01}, Drop: .02, CI: [2]float64{.01, .03}, Tasks: map[string]report.Drop{"shape": {Drop: .1}}}})
	j.Event(event.Chosen{Stage: "hidden", Candidates: []report.Candidate{{Name: "taylor/margin", AccuracyShort: &short}}})
	j.Event(event.Tried{Target: "small", Division: report.Division{Name: "even", AccuracyShort: &short}})
	j.End(event.Done, nil)
	var told []string
	for _, r := range table(t, folder) {
		told = append(told, strings.Join([]string{r["stage"], r["phase"], r["detail"], r["step"], r["name"], r["value"], r["kept"]}, "|"))
		assert.Equal(t, "2026-01-01T12:00:00.000Z", r["time"])
	}
	assert.Equal(t, []string{
		"hidden|distil|cut 1/2|5|gradient_norm|2|false", "hidden|distil|cut 1/2|5|learning_rate|0.001|false", "hidden|distil|cut 1/2|5|loss|0.5|false",
		"hidden|distil|cut 1/2|10|gradient_norm|2|false", "hidden|distil|cut 1/2|10|learning_rate|0.0001|false",
		"teacher|train|learn|1|gradient_norm|1|true", "teacher|train|learn|1|learning_rate|1|true", "teacher|train|learn|1|loss|3|true",
		"teacher|measured||0|accuracy/colour, bright|0.25|true", "teacher|measured||0|accuracy/overall|0.5|true", "teacher|measured||0|anls/overall|0.5|true",
		"teacher|measured||0|answers_per_s|10|true", "teacher|measured||0|bytes|28|true", "teacher|measured||0|ece|0.05|true", "teacher|measured||0|latency_ms/p50|2|true",
		"teacher|measured||0|latency_ms/p99|3|true", "teacher|measured||0|ood/overall|0.125|true", "teacher|measured||0|parameters|7|true",
		"hidden|measured|pruned|1|bytes|0|false", "hidden|measured|pruned|1|parameters|3|false",
		"small/hidden|measured|pruned|1|bytes|0|false", "small/hidden|measured|pruned|1|parameters|0|false",
		"hidden|measured|distilled|2|bytes|0|false", "hidden|measured|distilled|2|parameters|0|false",
		"hidden|cut||2|parameters|3|false", "hidden|cut||2|slice_mask_max_diff|1e-13|false",
		"hidden|gate||1|alpha|0.01|false", "hidden|gate||1|drop|0.02|false", "hidden|gate||1|drop/shape|0.1|false", "hidden|gate||1|drop_high|0.03|false", "hidden|gate||1|drop_low|0.01|false", "hidden|gate||1|passed|1|false",
		"hidden|candidate|taylor/margin|1|accuracy_short|0.75|false", "small|division|even|1|accuracy_short|0.75|false",
	}, told)

	j, _, _ = clocked(folder) // another start has its own numbers
	j.Event(event.Cut{Stage: "hidden", Cut: 1, Kept: true})
	j.End(event.Done, nil)
	assert.Len(t, table(t, folder), 2)
}

// A reader sees whole lines of the last start, once each.
func TestReader(t *testing.T) {
	folder := t.TempDir()
	r := NewReader(folder)
	_, err := r.Next()
	require.ErrorIs(t, err, fs.ErrNotExist)
	path := filepath.Join(folder, EventsName)
	note := func(text string) string {
		line, err := event.Line(time.Time{}, event.Phase{}, event.Note{Text: text})
		require.NoError(t, err)
		return string(line) + "\n"
	}
	first, err := event.Line(time.Time{}, event.Phase{}, event.Start{})
	require.NoError(t, err)
	next := func() (out []string) {
		told, err := r.Next()
		require.NoError(t, err)
		for _, e := range told {
			if n, ok := e.Event.(event.Note); ok {
				out = append(out, n.Text)
			} else {
				out = append(out, "start")
			}
		}
		return out
	}
	require.NoError(t, os.WriteFile(path, []byte(note("old")+string(first)+"\nbroken\n"+note("a")+note("b")[:20]), 0o644))
	assert.Equal(t, []string{"start", "a"}, next())
	assert.Empty(t, next())
	require.NoError(t, appended(path, note("b")[20:]))
	assert.Equal(t, []string{"b"}, next())
	require.NoError(t, os.Truncate(path, 0))
	require.NoError(t, appended(path, note("c")))
	assert.Equal(t, []string{"c"}, next(), "another file")
}
