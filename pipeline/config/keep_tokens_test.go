package config

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeepTokens(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want string // "" is right
	}{
		{[]string{"stage.0.keep.queries=8", "stage.0.keep.vocabulary=used"}, ""},
		{[]string{"stage.0.name=tokens", `stage.0.keep={ vocabulary = "50%" }`}, ""},
		{[]string{"stage.0.name=tokens"}, `a stage "tokens" cuts queries and vocabulary alone`},
		{[]string{"stage.0.name=blocks", "stage.0.criterion=cosine", "stage.0.keep={ vision = 1, queries = 2 }"}, "keep.queries needs another"},
		{[]string{"stage.0.keep.queries=99"}, "keep.queries: 99 is more than the"},
		{[]string{"stage.0.keep.vocabulary=most"}, `"most" is neither a count nor a share`},
	} {
		got, err := Parse("run.example.toml", Example(), c.set...)
		if c.want != "" {
			assert.ErrorContains(t, err, c.want, "%v", c.set)
			continue
		}
		require.NoError(t, err, "%v", c.set)
		text, err := json.Marshal(got.Resolved())
		require.NoError(t, err)
		var resolved map[string]any
		require.NoError(t, json.Unmarshal(text, &resolved))
		again, err := FromResolved("report.json", resolved)
		require.NoError(t, err)
		assert.Equal(t, got.Stages[0].Keep.Vocabulary, again.Stages[0].Keep.Vocabulary)
		assert.False(t, got.Stages[0].Keep.Vocabulary.Whole())
	}
}
