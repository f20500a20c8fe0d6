package data

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A divided split asks the same questions about the same pictures, in the same order, in memory and out of it.
func TestDivide(t *testing.T) {
	files := small()
	files["train/metadata.jsonl"] = line("../images/2.png", "which", "two") + line("../images/1.png", "a", "one") + line("../images/1.png", "b", "one") +
		line("../images/2.png", "odd", "no") + line("../images/1.png", "c", "one")
	root := folder(t, files)
	for _, budget := range []int64{0, 1} {
		set, err := Open(Config{Root: root, Size: 2, MemoryBudget: budget})
		require.NoError(t, err)
		whole := set.Train
		d := whole.Divide([]Part{{0, 0, 2}, {1, 0, 2}, {1, 2, 3}})
		assert.Equal(t, 3, d.Len())
		assert.Equal(t, 2, d.Parts().Pictures())
		assert.Equal(t, whole.QuestionCount(), d.QuestionCount())
		assert.Equal(t, "c", d.Questions(2)[0].Text)
		assert.Equal(t, fmt.Sprintf("%s:5", filepath.Join(root, "train", "metadata.jsonl")), d.Place(2, 0))
		assert.Equal(t, []int{0, 1, 3}, []int{d.Parts().Of(0), d.Parts().Of(1), d.Parts().Of(2)})
		l := NewLoader(context.Background(), d, Sequence(0, 3), 3)
		b, err := l.Next()
		require.NoError(t, err)
		l.Close()
		for i, level := range []uint8{20, 10, 10} {
			assert.Equal(t, level, b.Pixels[12*i], "part %d shows picture %d", i, d.Parts()[i].Picture)
			assert.Equal(t, d.Questions(i), b.Questions[i])
		}

		assert.Equal(t, Parts{{0, 0, 2}, {1, 0, 3}}, whole.Parts(), "the whole split stays as it was")
		assert.Equal(t, []int{2, 2, 2}, []int{whole.Len(), whole.Parts().Pictures(), whole.Parts().Of(2)})
	}
}
