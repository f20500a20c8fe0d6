package chain_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
