package data

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOverlaps(t *testing.T) {
	for _, budget := range []int64{0, 1} { // in memory, and decoded at each use
		d, err := Open(Config{Root: folder(t, small()), Size: 2, MemoryBudget: budget})
		require.NoError(t, err)
		assert.Empty(t, d.Overlaps(), "the pictures have one size, and different bytes")

		files := with(map[string]string{
			"test/5.png": "#20", "test/6.png": "#10", "test/7.png": "#20", // train has 10 and 20, validation 30
			"ood/8.png":           "#30",
			"test/metadata.jsonl": line("4.png", "which", "four") + line("4.png", "odd", "yes") + line("5.png", "which", "two") + line("6.png", "which", "one") + line("7.png", "which", "two"),
			"ood/metadata.jsonl":  "\n" + line("8.png", "which", "three"),
		})
		d, err = Open(Config{Root: folder(t, files), Size: 2, MemoryBudget: budget})
		require.NoError(t, err)
		found := d.Overlaps()
		var texts []string
		for _, o := range found {
			texts = append(texts, strings.NewReplacer(o.First, tail(o.First), o.Same, tail(o.Same)).Replace(o.String()))
		}
		assert.Equal(t, []string{
			"2 pictures of test are also in train (first: test/metadata.jsonl:3 = train/metadata.jsonl:2)",
			"1 picture of ood is also in validation (first: ood/metadata.jsonl:2 = validation/metadata.jsonl:1)",
		}, texts)

		d, err = Open(Config{Root: folder(t, files), Size: 2, MemoryBudget: budget, Test: 2, OOD: 1})
		require.NoError(t, err)
		found = d.Overlaps()
		assert.Equal(t, 1, found[0].Pictures, "only pictures that are taken count")
	}
	d, err := Open(Config{Source: "ads", Train: 2, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	assert.Empty(t, d.Overlaps())
}

// tail is the last two parts of a place.
func tail(place string) string {
	parts := strings.Split(place, "/")
	return strings.Join(parts[len(parts)-2:], "/")
}
