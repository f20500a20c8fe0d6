package needs

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
)

// A Q-Former that reads the question has positions of its own.
func TestQuestionsLongerThanTheQFormers(t *testing.T) {
	root := t.TempDir()
	var black bytes.Buffer
	require.NoError(t, png.Encode(&black, image.NewGray(image.Rect(0, 0, 8, 8))))
	for _, split := range []string{"train", "validation", "test"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, split), 0o755))
		var rows string
		for _, name := range []string{"a.png", "b.png", "c.png"} {
			require.NoError(t, os.WriteFile(filepath.Join(root, split, name), black.Bytes(), 0o644))
			rows += strings.Repeat(`{"file_name": "`+name+`", "question": "q", "answer": "a"}`+"\n", 2)
		}
		require.NoError(t, os.WriteFile(filepath.Join(root, split, "metadata.jsonl"), []byte(rows), 0o644))
	}
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	in := Input{Set: set, Train: &corpus.Corpus{Split: set.Train}}
	for range set.Train.Len() {
		in.Train.Questions = append(in.Train.Questions, []model.Question{{Instruction: make([]int, 16)}, {Instruction: make([]int, 5)}})
	}
	c := &model.Config{QFormer: model.QFormerConfig{Positions: 16}}
	require.NoError(t, in.checkInstructions(c))
	in.Train.Questions[2][1].Instruction = make([]int, 17)
	assert.Regexp(t, "train/metadata.jsonl:6: the question has 17 tokens, the Q-Former has 16 positions; shorten it or leave it out$", in.checkInstructions(c).Error())
}

// Some of the teacher's logits are fewer than all.
func TestTopKOfTheVocabulary(t *testing.T) {
	in := Input{Config: &config.Config{Teacher: config.TeacherConfig{TopK: 39}}, Network: &model.Config{Text: model.TextConfig{Vocabulary: 40}}}
	require.NoError(t, in.checkTopK())
	in.Config.Teacher.TopK = 40
	require.ErrorContains(t, in.checkTopK(), "teacher.top_k = 40, and the vocabulary has 40 tokens")
}
