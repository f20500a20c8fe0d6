package teacher

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// asked is a data set of one picture with such rows.
func asked(t *testing.T, rows []string) *data.Dataset {
	t.Helper()
	root := t.TempDir()
	f, err := os.Create(filepath.Join(root, "1.png"))
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, image.NewGray(image.Rect(0, 0, 8, 8))))
	require.NoError(t, f.Close())
	for _, split := range []string{"train", "validation", "test"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, split), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, split, "metadata.jsonl"), []byte(strings.Join(rows, "\n")), 0o644))
	}
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	return set
}

// In pre-training a question without a task has a slot of its own, not the first task's; and none where all have a task.
func TestPretrainingOfQuestionsWithoutATask(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		for tasks, want := range map[[3]string][]int64{
			{"", "t", "u"}:  {6, 0, 3}, // the slots of t, u and none, three words each
			{"s", "t", "u"}: {0, 3, 6},
			{"", "", ""}:    {0}, // one slot, and of two questions of one task the first counts
		} {
			var rows []string
			for i, task := range tasks {
				rows = append(rows, fmt.Sprintf(`{"file_name": "../1.png", "question": "q%d", "answer": "a", "task": %q}`, i, task))
			}
			set := asked(t, rows)
			train, err := corpus.New(set.Train, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, On: torch.CPU})
			require.NoError(t, err)
			c, err := config.DefaultTrain().ModelConfig(8, set.Tokenizer)
			require.NoError(t, err)
			m, err := model.New(c)
			require.NoError(t, err)
			p, err := newPretraining(m, train, set.Tasks)
			require.NoError(t, err)
			at, _ := p.targets([]int{0})
			var first []int64 // of the two tokens of each answer
			for i, row := range torch.Values[int64](at) {
				if i%2 == 0 {
					first = append(first, row)
				}
			}
			assert.Equal(t, want, first, "%q", tasks)
			p.store.Free()
		}
	})
}
