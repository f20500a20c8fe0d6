package needs

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/datatest"
)

// A Q-Former that reads the question has positions of its own.
func TestQuestionsLongerThanTheQFormers(t *testing.T) {
	var rows []datatest.Row
	for _, name := range []string{"a.png", "b.png", "c.png"} {
		rows = append(rows, slices.Repeat([]datatest.Row{{Picture: name, Question: "q", Answer: "a"}}, 2)...)
	}
	set := datatest.Black(t, rows...)
	in := Input{Config: &config.Config{}, Set: set, Train: &corpus.Corpus{Split: set.Train}}
	for range set.Train.Len() {
		in.Train.Asked.Questions = append(in.Train.Asked.Questions, []model.Question{{Instruction: make([]int, 16)}, {Instruction: make([]int, 5)}})
	}
	c := &model.Config{QFormer: model.QFormerConfig{Positions: 16}}
	require.NoError(t, in.checkInstructions(c))
	in.Train.Asked.Questions[2][1].Instruction = make([]int, 17)
	assert.Regexp(t, "train/metadata.jsonl:6: the question has 17 tokens, the Q-Former has 16 positions; shorten it or leave it out$", in.checkInstructions(c).Error())
	in.Config.Teacher.Train = &config.TrainConfig{Config: "c.json"}
	assert.Regexp(t, "leave it out, or raise qformer_config.max_position_embeddings of c.json to 17$", in.checkInstructions(c).Error())
	c.Queries, c.Text = 4, model.TextConfig{ModelType: "opt", Positions: 8}
	in.Train.Asked.Questions[0][0].Prompt = make([]int, 9)
	assert.Regexp(t, "or raise text_config.max_position_embeddings of c.json to 13$", in.checkPositions(c, 1).Error())
}

// Some of the teacher's logits are fewer than all.
func TestTopKOfTheVocabulary(t *testing.T) {
	in := Input{Config: &config.Config{Teacher: config.TeacherConfig{TopK: 39}}, Network: &model.Config{Text: model.TextConfig{Vocabulary: 40}}}
	require.NoError(t, in.checkTopK())
	in.Config.Teacher.TopK = 40
	require.ErrorContains(t, in.checkTopK(), "teacher.top_k = 40, and the vocabulary has 40 tokens")
}
