package chain_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// Processes that need the same result compute it once. The others wait for it, and not for the end of the run that computed it or of one another.
func TestOthersWaitForTheResultAlone(t *testing.T) {
	f, k := newFolders(t), &counted{}
	begun, finish := make(chan bool), make(chan bool)
	slow := k.write()
	inner := slow.Compute
	slow.Compute = func(ctx context.Context, w *chain.Work, in input) (int, error) {
		close(begun)
		<-finish
		return inner(ctx, w, in)
	}
	in := input{Text: "x", Times: 1}
	const others = 3
	var all sync.WaitGroup
	got := make(chan bool, others+1)
	end := make(chan bool)
	run := func(f folders, step *chain.Step[input, int], change func(*chain.Options)) {
		all.Go(func() {
			f.with(t, change, func(c *chain.Chain) {
				out, err := chain.Do(context.Background(), c, at("a"), *step, in)
				assert.NoError(t, err)
				got <- out.Reused
				<-end // as a run goes on for hours with what it holds
			})
		})
	}
	run(f, &slow, nil)
	<-begun
	waiting := make(chan bool, 10*others)
	plain := k.write()
	for i := range others {
		run(folders{filepath.Join(t.TempDir(), fmt.Sprint(i)), f.shared}, &plain, func(o *chain.Options) {
			o.Events = func(event.Event) { waiting <- true }
		})
	}
	for range others {
		<-waiting
	}
	close(finish)
	reused := 0
	for range others + 1 {
		select {
		case r := <-got:
			if r {
				reused++
			}
		case <-time.After(20 * time.Second):
			t.Error("a run waits for the end of another one")
		}
	}
	close(end)
	all.Wait()
	assert.Equal(t, others, reused)
	assert.Equal(t, 1, k.calls)
}
