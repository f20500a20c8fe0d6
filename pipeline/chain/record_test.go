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
)

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

// The environment stands in a run's record once, and what changed in it is told. A record of another form is written anew.
func TestTheRecordHasEachEnvironmentOnce(t *testing.T) {
	f, k := newFolders(t), &counted{}
	file := filepath.Join(f.run, "chain.json")
	do := func(sources string, steps ...string) (notes, record string) {
		c, err := chain.Open(chain.Environment{Sources: sources}, chain.Options{Folder: f.run, Shared: f.shared, Events: func(e event.Event) {
			if n, ok := e.(event.Note); ok {
				notes += n.Text
			}
		}})
		require.NoError(t, err)
		for _, step := range steps {
			_, err := chain.Do(context.Background(), c, at(step), k.write(), input{Text: step, Times: 1})
			require.NoError(t, err)
		}
		require.NoError(t, c.Close()) // without Finish: as a run that is ended early
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return notes, string(text)
	}
	_, record := do("first", "a", "b", "c")
	assert.Equal(t, 1, strings.Count(record, `"first"`), record)
	notes, record := do("second", "a", "b")
	assert.Equal(t, `a is computed again, and what stands on it: environment.Sources: "first" → "second"`, notes)
	assert.Equal(t, 1, strings.Count(record, `"first"`), "c is of the first still: %s", record)
	assert.Equal(t, 1, strings.Count(record, `"second"`), record)
	_, record = do("second", "c")
	assert.NotContains(t, record, `"first"`)

	for _, old := range []string{
		`{"version": 1, "steps": [{"at": "a", "id": "x", "content": "", "inputs": {}, "environment": {"Sources": "first"}}], "copies": {}}`,
		`{"version": 1, "steps": [], "copies": {"student": "x"}}`, `{"version": 2, "steps": {}}`, `null`, `[`,
	} {
		require.NoError(t, os.WriteFile(file, []byte(old), 0o644))
		calls := k.calls
		_, again := do("second", "a", "b", "c")
		assert.JSONEq(t, record, again, old)
		assert.Equal(t, calls, k.calls, "the results are found all the same")
	}
}

// A seed has 64 bits, of which a float64 would show the first 53.
func TestChangesOfLargeNumbersAreExact(t *testing.T) {
	f := newFolders(t)
	type seeded struct{ Seed uint64 }
	step := chain.Step[seeded, int]{Name: "train", Compute: func(context.Context, *chain.Work, seeded) (int, error) { return 1, nil }}
	do := func(seed uint64) string {
		return f.with(t, nil, func(c *chain.Chain) {
			_, err := chain.Do(context.Background(), c, at("a"), step, seeded{seed})
			require.NoError(t, err)
		})
	}
	do(12676449392499245001)
	assert.Equal(t, "a is computed again, and what stands on it: Seed: 12676449392499245001 → 12676449392499245003", do(12676449392499245003))
}
