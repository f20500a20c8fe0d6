package chain_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/pipeline/event"
	"espalier/torch/disk"
)

// input is that of the steps below; calls counts how often one was computed.
type input struct {
	Text  string
	From  chain.Result
	Times int
}

type counted struct{ calls int }

// write is a step that writes its text so many times into a file and gives the length.
func (k *counted) write() chain.Step[input, int] {
	return chain.Step[input, int]{Name: "write", Compute: func(_ context.Context, w *chain.Work, in input) (int, error) {
		k.calls++
		text := strings.Repeat(in.Text, in.Times)
		w.Files(func(folder string) error { return disk.Write(filepath.Join(folder, "text"), []byte(text)) })
		w.Hold(text, func() {})
		return len(text), nil
	}}
}

type folders struct{ run, shared string }

func newFolders(t *testing.T) folders {
	return folders{filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "shared")}
}

// with opens a chain, does something and closes it. It gives the notes.
func (f folders) with(t *testing.T, change func(*chain.Options), do func(c *chain.Chain)) string {
	t.Helper()
	var notes []string
	o := chain.Options{Folder: f.run, Shared: f.shared, Events: func(e event.Event) {
		if n, ok := e.(event.Note); ok {
			notes = append(notes, n.Text)
		}
	}}
	if change != nil {
		change(&o)
	}
	c, err := chain.Open(chain.Environment{Sources: "a"}, o)
	require.NoError(t, err)
	do(c)
	c.Finish()
	require.NoError(t, c.Close())
	return strings.Join(notes, "\n")
}

func at(name string) chain.Place { return chain.Place{At: name} }

func TestAResultIsComputedOnce(t *testing.T) {
	f, k := newFolders(t), &counted{}
	do := func(in input) (out chain.Kept[int]) {
		f.with(t, nil, func(c *chain.Chain) {
			var err error
			out, err = chain.Do(context.Background(), c, at("a"), k.write(), in)
			require.NoError(t, err)
		})
		return out
	}
	first := do(input{Text: "x", Times: 3})
	assert.False(t, first.Reused)
	assert.Equal(t, "xxx", first.Live)
	again := do(input{Text: "x", Times: 3})
	assert.True(t, again.Reused)
	assert.Equal(t, 3, again.Value)
	assert.Equal(t, first.Content, again.Content)
	assert.Equal(t, first.Seconds, again.Seconds)
	assert.Nil(t, again.Live)
	text, err := os.ReadFile(filepath.Join(again.Folder, "text"))
	require.NoError(t, err)
	assert.Equal(t, "xxx", string(text))
	assert.Equal(t, 1, k.calls)

	// Every part of the input counts; another run folder shares what is shared.
	do(input{Text: "y", Times: 3})
	do(input{Text: "x", Times: 4})
	do(input{Text: "x", Times: 3, From: chain.Result{Content: "b"}})
	assert.Equal(t, 4, k.calls)
	f.run = filepath.Join(t.TempDir(), "other")
	assert.True(t, do(input{Text: "x", Times: 3}).Reused)
}

func TestTheEnvironmentCounts(t *testing.T) {
	f, k := newFolders(t), &counted{}
	for i, e := range []chain.Environment{{Sources: "a"}, {Sources: "b"}, {Sources: "a", Shim: "x"}, {Sources: "a", Libtorch: "2"}, {Sources: "a", CPU: "x"},
		{Sources: "a", Capability: "AVX2"}, {Sources: "a", Variables: map[string]string{"MKL_CBWR": "AVX2"}}, {Sources: "a", Device: "cuda:0"},
		{Sources: "a", Threads: 2}, {Sources: "a", Workers: 2}, {Sources: "a", Go: "go2"}} {
		c, err := chain.Open(e, chain.Options{Folder: f.run, Shared: f.shared})
		require.NoError(t, err)
		out, err := chain.Do(context.Background(), c, at("a"), k.write(), input{Text: "x", Times: 1})
		require.NoError(t, err)
		assert.False(t, out.Reused, "%+v", e)
		assert.Equal(t, i+1, k.calls)
		require.NoError(t, c.Close())
	}
}

// A changed or missing byte in any file of a result is found; the result is named and computed again.
func TestDamageIsFound(t *testing.T) {
	f, k := newFolders(t), &counted{}
	in := input{Text: "some text", Times: 2}
	do := func() (notes string, out chain.Kept[int]) {
		notes = f.with(t, nil, func(c *chain.Chain) {
			var err error
			out, err = chain.Do(context.Background(), c, at("a"), k.write(), in)
			require.NoError(t, err)
		})
		return notes, out
	}
	_, first := do()
	for _, name := range []string{"text", "result.json", "SUMS"} {
		path := filepath.Join(first.Folder, name)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		damage := [][]byte{whole[:len(whole)/2], {}, append(whole[:len(whole):len(whole)], '\n')}
		for i := 0; i < len(whole); i += 1 + len(whole)/40 {
			flipped := append([]byte{}, whole...)
			flipped[i] ^= 1
			damage = append(damage, flipped)
		}
		for i, bytes := range damage {
			require.NoError(t, os.WriteFile(path, bytes, 0o644))
			calls := k.calls
			notes, out := do()
			require.Equal(t, calls+1, k.calls, "%s, damage %d", name, i)
			assert.Contains(t, notes, first.Folder, "%s, damage %d", name, i)
			assert.Equal(t, first.Content, out.Content)
		}
	}
	require.NoError(t, os.Remove(filepath.Join(first.Folder, "text")))
	notes, _ := do()
	assert.Contains(t, notes, filepath.Join(first.Folder, "text"))
	require.NoError(t, os.WriteFile(filepath.Join(first.Folder, "more"), nil, 0o644))
	notes, _ = do()
	assert.Contains(t, notes, "more is not one of the files")
	_, last := do()
	assert.True(t, last.Reused)
}

// The run says once what changed, and what is reused.
func TestChangesAreTold(t *testing.T) {
	f, k := newFolders(t), &counted{}
	do := func(text string, times int) string {
		return f.with(t, nil, func(c *chain.Chain) {
			a, err := chain.Do(context.Background(), c, at("a"), k.write(), input{Text: text, Times: 1})
			require.NoError(t, err)
			b, err := chain.Do(context.Background(), c, at("b"), k.write(), input{Text: "b", Times: times, From: a.Result})
			require.NoError(t, err)
			_, err = chain.Do(context.Background(), c, at("c"), k.write(), input{Text: "c", Times: 1, From: b.Result})
			require.NoError(t, err)
		})
	}
	assert.Empty(t, do("a", 1))
	assert.Equal(t, "reused: a, b, c", do("a", 1))
	assert.Equal(t, "reused: a\nb is computed again, and what stands on it: Times: 1 → 2", do("a", 2))
	assert.Equal(t, `a is computed again, and what stands on it: Text: "a" → "aa"`+"\nreused: c", do("aa", 2), "b came out as before")
	f.with(t, nil, func(c *chain.Chain) {
		_, err := chain.Do(context.Background(), c, at("a"), k.write(), input{Text: "only", Times: 1})
		require.NoError(t, err)
	})
	list, err := chain.List(f.run)
	require.NoError(t, err)
	require.Len(t, list, 1, "steps that the run has no more are forgotten")
}

// Computed anew with the same outcome, a result leaves what stands on it as it is.
func TestSameContentSameFollowers(t *testing.T) {
	f, k := newFolders(t), &counted{}
	step := chain.Step[input, int]{Name: "constant", Compute: func(context.Context, *chain.Work, input) (int, error) { return 7, nil }}
	for i, text := range []string{"a", "b"} {
		f.with(t, nil, func(c *chain.Chain) {
			a, err := chain.Do(context.Background(), c, at("a"), step, input{Text: text})
			require.NoError(t, err)
			b, err := chain.Do(context.Background(), c, at("b"), k.write(), input{From: a.Result, Text: "b", Times: 1})
			require.NoError(t, err)
			assert.Equal(t, i == 1, b.Reused)
		})
	}
}

func TestARunFolderIsLocked(t *testing.T) {
	f := newFolders(t)
	f.with(t, nil, func(*chain.Chain) {
		_, err := chain.Open(chain.Environment{}, chain.Options{Folder: f.run})
		var locked *disk.ErrLocked
		require.ErrorAs(t, err, &locked)
		assert.Equal(t, os.Getpid(), locked.PID)
	})
	f.with(t, nil, func(*chain.Chain) {})
}

// Two processes that need the same result compute it once: the second waits.
func TestTheSecondWaits(t *testing.T) {
	f, k := newFolders(t), &counted{}
	other := folders{filepath.Join(t.TempDir(), "other"), f.shared}
	begun, finish, done := make(chan bool), make(chan bool), make(chan chain.Kept[int])
	slow := k.write()
	inner := slow.Compute
	slow.Compute = func(ctx context.Context, w *chain.Work, in input) (int, error) {
		close(begun)
		<-finish
		return inner(ctx, w, in)
	}
	in := input{Text: "x", Times: 1}
	go f.with(t, nil, func(c *chain.Chain) {
		out, err := chain.Do(context.Background(), c, at("a"), slow, in)
		assert.NoError(t, err)
		done <- out
	})
	<-begun
	waiting := make(chan bool, 1)
	go other.with(t, func(o *chain.Options) {
		o.Events = func(event.Event) { waiting <- true }
	}, func(c *chain.Chain) {
		out, err := chain.Do(context.Background(), c, at("b"), k.write(), in)
		assert.NoError(t, err)
		done <- out
	})
	<-waiting
	close(finish)
	one, two := <-done, <-done
	assert.NotEqual(t, one.Reused, two.Reused)
	assert.Equal(t, 1, k.calls)
}

// What cannot be kept in the shared folder is kept in the run's, and where that fails too the run goes on all the same.
func TestWhatCannotBeKept(t *testing.T) {
	in := input{Text: "x", Times: 5}
	for _, streamed := range []bool{false, true} {
		f, k := newFolders(t), &counted{}
		step := k.write()
		if streamed {
			step.Compute = func(_ context.Context, w *chain.Work, in input) (int, error) {
				folder, err := w.Folder()
				if err != nil {
					return 0, err
				}
				return 5, disk.Write(filepath.Join(folder, "text"), []byte("xxxxx"))
			}
		}
		fail := func(where ...string) func() {
			return disk.Intercept(func(op disk.Op, path string) error {
				for _, w := range where {
					if strings.HasPrefix(path, w) {
						return errors.New("no space left")
					}
				}
				return nil
			})
		}
		var out chain.Kept[int]
		do := func(c *chain.Chain) {
			var err error
			out, err = chain.Do(context.Background(), c, at("a"), step, in)
			require.NoError(t, err)
			text, err := os.ReadFile(filepath.Join(out.Folder, "text"))
			require.NoError(t, err)
			assert.Equal(t, "xxxxx", string(text))
		}
		restore := fail(f.shared)
		notes := f.with(t, nil, do)
		restore()
		assert.Contains(t, notes, "no space left")
		assert.True(t, strings.HasPrefix(out.Folder, f.run), out.Folder)
		f.with(t, nil, do)
		assert.True(t, out.Reused)

		g := newFolders(t)
		g.with(t, nil, func(c *chain.Chain) {
			defer fail(g.shared, filepath.Join(g.run, "kept"))()
			do(c)
		})
		assert.NoDirExists(t, out.Folder, "it went with the run")
	}
}

// Each write, sync and rename made to fail once, in turn, loses nothing.
func TestEachOperationFailsOnce(t *testing.T) {
	for n := 1; ; n++ {
		f, k := newFolders(t), &counted{}
		count := 0
		restore := disk.Intercept(func(op disk.Op, path string) error {
			if strings.HasPrefix(path, f.shared) || strings.HasPrefix(path, filepath.Join(f.run, "kept")) {
				if count++; count == n {
					return errors.New("failed once")
				}
			}
			return nil
		})
		f.with(t, func(o *chain.Options) { require.NoError(t, os.MkdirAll(filepath.Join(f.run, "kept"), 0o755)) }, func(c *chain.Chain) {
			out, err := chain.Do(context.Background(), c, at("a"), k.write(), input{Text: "x", Times: 2})
			require.NoError(t, err, "operation %d", n)
			text, err := os.ReadFile(filepath.Join(out.Folder, "text"))
			require.NoError(t, err)
			assert.Equal(t, "xx", string(text))
		})
		restore()
		assert.Equal(t, 1, k.calls)
		if count < n {
			assert.Greater(t, n, 10)
			return
		}
	}
}

// A recheck finds what moves a result without being an input of it.
func TestRecheckFindsHiddenInputs(t *testing.T) {
	f, k := newFolders(t), &counted{}
	clock := chain.Step[input, string]{Name: "clock", Compute: func(context.Context, *chain.Work, input) (string, error) {
		return time.Now().Format(time.RFC3339Nano), nil
	}}
	timed := clock
	timed.Name, timed.Own = "timed", true
	global := 0
	file := chain.Step[input, int]{Name: "file", Compute: func(_ context.Context, w *chain.Work, _ input) (int, error) {
		global++
		text := strings.Repeat("x", global)
		w.Files(func(folder string) error { return disk.Write(filepath.Join(folder, "weights"), []byte(text)) })
		return 1, nil
	}}
	run := func(recheck bool) (err error) {
		f.with(t, func(o *chain.Options) { o.Recheck = recheck }, func(c *chain.Chain) {
			_, err = chain.Do(context.Background(), c, at("good"), k.write(), input{Text: "x", Times: 1})
			require.NoError(t, err)
			_, err = chain.Do(context.Background(), c, at("times"), timed, input{})
			require.NoError(t, err)
			_, err = chain.Do(context.Background(), c, at("clock"), clock, input{})
			require.NoError(t, err)
			_, err = chain.Do(context.Background(), c, at("file"), file, input{})
			require.NoError(t, err)
			err = c.Rechecked()
		})
		return err
	}
	require.NoError(t, run(false))
	require.NoError(t, run(false))
	err := run(true)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "clock: its value")
	assert.Contains(t, err.Error(), "file: weights")
	assert.NotContains(t, err.Error(), "good")
	assert.NotContains(t, err.Error(), "times")
	assert.Equal(t, 2, k.calls)
}

// The shared folder stays under its limit; what was used last stays longest, and what a run holds stays.
func TestTheLimit(t *testing.T) {
	f, k := newFolders(t), &counted{}
	big := func(c *chain.Chain, text string) chain.Kept[int] {
		out, err := chain.Do(context.Background(), c, at(text), k.write(), input{Text: text, Times: 100_000})
		require.NoError(t, err)
		past := time.Now().Add(-time.Hour * time.Duration(10-len(text)))
		require.NoError(t, os.Chtimes(filepath.Join(f.shared, ".locks", filepath.Base(out.Folder)), past, past))
		return out
	}
	var a, b, c3 chain.Kept[int]
	f.with(t, nil, func(c *chain.Chain) { a, b = big(c, "a"), big(c, "bb") })
	holder := folders{filepath.Join(t.TempDir(), "holder"), f.shared}
	holder.with(t, nil, func(c *chain.Chain) {
		big(c, "a")
		f.with(t, func(o *chain.Options) { o.Limit = 450_000 }, func(c *chain.Chain) { c3 = big(c, "ccc") })
	})
	assert.DirExists(t, a.Folder, "a run holds it")
	assert.NoDirExists(t, b.Folder)
	assert.DirExists(t, c3.Folder)
	removed, err := chain.Remove(f.shared, filepath.Base(a.Folder)[:12])
	require.NoError(t, err)
	assert.Equal(t, a.Folder, removed.Folder)
	assert.NoDirExists(t, a.Folder)
	_, err = chain.Remove(f.shared, "nothing")
	assert.ErrorContains(t, err, "no kept result")
}

func TestCopiesAreRepaired(t *testing.T) {
	f := newFolders(t)
	fills := 0
	copyOf := func(of chain.Print, text string) {
		f.with(t, nil, func(c *chain.Chain) {
			require.NoError(t, c.Copy("student", of, func(folder string) error {
				fills++
				return disk.Write(filepath.Join(folder, "weights"), []byte(text))
			}))
		})
		got, err := os.ReadFile(filepath.Join(f.run, "student", "weights"))
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
	}
	copyOf("1", "one")
	copyOf("1", "one")
	assert.Equal(t, 1, fills)
	copyOf("2", "two")
	require.NoError(t, os.WriteFile(filepath.Join(f.run, "student", "weights"), []byte("twO"), 0o644))
	copyOf("2", "two")
	require.NoError(t, os.WriteFile(filepath.Join(f.run, "student", "more"), nil, 0o644))
	copyOf("2", "two")
	assert.Equal(t, 4, fills)
	assert.NoFileExists(t, filepath.Join(f.run, "student", "more"))
}

// What an interrupted attempt has left is there for the next one, and gone when the result is kept.
func TestStateIsThereForTheNextAttempt(t *testing.T) {
	f := newFolders(t)
	var state string
	step := chain.Step[input, string]{Name: "train", Compute: func(ctx context.Context, w *chain.Work, _ input) (string, error) {
		state = w.State()
		if text, err := os.ReadFile(filepath.Join(state, "place")); err == nil {
			return string(text), nil
		}
		if err := disk.MkdirAll(state); err != nil {
			return "", err
		}
		if err := disk.Write(filepath.Join(state, "place"), []byte("step 7")); err != nil {
			return "", err
		}
		return "", context.Canceled
	}}
	f.with(t, nil, func(c *chain.Chain) {
		_, err := chain.Do(context.Background(), c, at("a"), step, input{})
		require.ErrorIs(t, err, context.Canceled)
		out, err := chain.Do(context.Background(), c, at("a"), step, input{})
		require.NoError(t, err)
		assert.Equal(t, "step 7", out.Value)
	})
	assert.NoDirExists(t, state)
}

func TestWhatCannotBeHashed(t *testing.T) {
	type hidden struct{ x int }
	for _, v := range []any{func() {}, make(chan int), hidden{1}, struct{ F func() }{}, map[int]int{}} {
		assert.Panics(t, func() { chain.Of(v) }, "%T", v)
	}
	assert.NotEqual(t, chain.Of(1.0), chain.Of("1"))
	assert.NotEqual(t, chain.Of([]string{"a", "b"}), chain.Of([]string{"ab"}))
	assert.NotEqual(t, chain.Of(uint64(1<<63)), chain.Of(uint64(1<<63+1)))
}

// What a killed attempt has left in a result's folder is no part of the result.
func TestLeftoversAreNoPartOfAResult(t *testing.T) {
	f, k := newFolders(t), &counted{}
	in := input{Text: "x", Times: 3}
	var want, got chain.Kept[int]
	f.with(t, nil, func(c *chain.Chain) { want, _ = chain.Do(context.Background(), c, at("a"), k.write(), in) })
	left := filepath.Join(f.shared, ".work", filepath.Base(want.Folder), "result")
	require.NoError(t, os.RemoveAll(want.Folder))
	require.NoError(t, os.MkdirAll(left, 0o755))
	for _, name := range []string{"text", "old", ".text.00000000000000000001.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(left, name), []byte("half"), 0o644))
	}
	f.with(t, nil, func(c *chain.Chain) { got, _ = chain.Do(context.Background(), c, at("a"), k.write(), in) })
	assert.Equal(t, want.Content, got.Content)
	files, err := os.ReadDir(got.Folder)
	require.NoError(t, err)
	assert.Len(t, files, 3)

	// Work that was interrupted counts against the limit too.
	old := filepath.Join(f.shared, ".work", "old-1")
	require.NoError(t, os.MkdirAll(old, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(old, "state"), make([]byte, 10_000), 0o644))
	past := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(old, past, past))
	f.with(t, func(o *chain.Options) { o.Limit = 9000 }, func(*chain.Chain) {})
	assert.NoDirExists(t, old)
	assert.DirExists(t, got.Folder)
}

// The work of a result that was kept goes, though the kill came between the two.
func TestWorkOfAKeptResultGoes(t *testing.T) {
	f, k := newFolders(t), &counted{}
	do := func() (out chain.Kept[int]) {
		f.with(t, nil, func(c *chain.Chain) {
			var err error
			out, err = chain.Do(context.Background(), c, at("a"), k.write(), input{Text: "x", Times: 1})
			require.NoError(t, err)
		})
		return out
	}
	work := filepath.Join(f.shared, ".work", filepath.Base(do().Folder), "state")
	require.NoError(t, os.MkdirAll(work, 0o755))
	assert.True(t, do().Reused)
	assert.NoDirExists(t, filepath.Dir(work))
}
