package pipeline

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
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
	assert.Equal(t, `stage.blocks.distil.kl is 0, and a picture has no answers: train/metadata.jsonl:1; its loss = "distillation", or a candidate's, has no gradient there; `+
		`set distil.kl above 0, or loss = "cross-entropy"`, faultOf(t, root, loaded(teacher), scored...))
	tried := append(kl, "stage.blocks.criterion=gradient", "stage.blocks.loss=cross-entropy", `stage.blocks.candidates=["taylor/distillation"]`)
	assert.Contains(t, faultOf(t, root, loaded(teacher), tried...), "or a candidate's, has no gradient there")

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

// A target's sizes are chosen when it is known which tokens the teacher's answers use; a teacher that is trained afterwards has none yet.
func TestTargetWithAnswersOfTheTeacher(t *testing.T) {
	torchtest.Setup(t)
	splits := plainSplits()
	teacher := smallTeacher(t, dataFolder(t, splits))
	splits["train"][0].answer = nil
	root := dataFolder(t, splits)
	aim := func(text string) string {
		return strings.Replace(text, "keep = { vision = 1, language = 1 }", `keep = { vocabulary = "used" }`, 1) + "[target]\nratio = 1.3\ndivisions = 1\n"
	}
	cfg, err := config.Parse("aim.toml", aim(loaded(teacher)), "data.root="+root, "output="+t.TempDir())
	require.NoError(t, err)
	var order []string
	r, err := runWith(context.Background(), cfg, func(e event.Event) {
		switch e := e.(type) {
		case event.Phase:
			if e.Name == "missing answers" {
				order = append(order, "answered")
			}
		case event.Divided:
			order = append(order, "divided")
		}
	})
	require.NoError(t, err)
	require.Len(t, order, 2)
	assert.Equal(t, "answered", order[0])
	assert.True(t, r.Target.Met(), r.Target.Line())
	assert.Contains(t, faultOf(t, root, aim(smallRun)), `keep.vocabulary = "used" counts the teacher's answers`)
}
