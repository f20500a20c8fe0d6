package pipeline

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// Pictures without answers teach by KL alone: a batch of nothing else is passed over where KL has no part, and a run that
// could learn nothing is refused before anything is computed.
func TestPicturesWithoutAnswers(t *testing.T) {
	torchtest.Setup(t)
	teacher := smallTeacher(t, dataFolder(t, plainSplits()))
	splits := plainSplits()
	for i := range 10 { // of five pictures of eight
		splits["train"][i].answer = nil
	}
	root := dataFolder(t, splits)
	// Batches of one picture: most of them have no answer.
	_, _, err := runOn(t, root, smallRun, "teacher.train.batch=1", "teacher.train.steps=8")
	require.NoError(t, err)
	kl := []string{"stage.blocks.distil.kl=0", "stage.blocks.distil.batch=1", "stage.blocks.distil.steps=10"}
	_, notes, err := runOn(t, root, loaded(teacher), kl...)
	require.NoError(t, err)
	assert.Contains(t, notes, "10 training questions without an answer take the teacher's, and count for KL alone")
	scored := append(kl, "stage.blocks.criterion=gradient", "stage.blocks.loss=distillation")
	assert.Equal(t, `stage.blocks.distil.kl is 0, and a picture has no answers: train/metadata.jsonl:1; its loss = "distillation" has no gradient there; `+
		`set distil.kl above 0, or loss = "cross-entropy"`, faultOf(t, root, loaded(teacher), scored...))

	for i := range splits["train"] {
		splits["train"][i].answer = nil
	}
	root = dataFolder(t, splits)
	assert.Equal(t, "stage.blocks.distil.kl is 0, and no training question has an answer: only KL learns from the teacher's; set it above 0",
		faultOf(t, root, loaded(teacher), kl...))
	assert.Equal(t, "data: no training question has an answer, and a teacher that is trained here learns from nothing else; add answers",
		faultOf(t, root, smallRun))
	_, _, err = runOn(t, root, loaded(teacher))
	require.NoError(t, err, "a checkpoint's answers are enough for KL")
}
