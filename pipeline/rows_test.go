package pipeline

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// adsCorpus is drawn pictures, each with five questions, as a network reads them.
func adsCorpus(t *testing.T, form model.Form, words func(*data.Dataset) prompt.Words) *corpus.Corpus {
	t.Helper()
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 3, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	c, err := corpus.New(set.Train, corpus.Reading{Words: words(set), Pre: model.AdsPreprocessor(48), Form: form, On: torch.CPU})
	require.NoError(t, err)
	return c
}

func ownWords(set *data.Dataset) prompt.Words { return prompt.Words{Answers: set.Tokenizer} }

// The parts of a picture are one picture to the gate.
func TestGateKeepsPartsTogether(t *testing.T) {
	torchtest.Setup(t)
	c := adsCorpus(t, model.Form{}, ownWords)
	require.NotEmpty(t, c.Divide(30, 16, 4))
	m := measure.Marks{Right: make([]string, c.Split.Len())}
	for i := range m.Right {
		m.Right[i] = strings.Repeat("0", len(c.Split.Questions(i)))
	}
	var pictures []int
	for _, a := range measure.Pairs(c.Split, m, m) {
		pictures = append(pictures, a.Picture)
	}
	assert.Equal(t, slices.Concat(slices.Repeat([]int{0}, 5), slices.Repeat([]int{1}, 5), slices.Repeat([]int{2}, 5)), pictures)
}

// A run over divided pictures goes from the teacher's training to the report and counts pictures, not parts.
func TestRunOverDividedPictures(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	var notes []string
	r, err := runWith(context.Background(), tinyConfig(t, out, "data.row_tokens=30", "eval.throughput_batch=100"), func(e event.Event) {
		switch e := e.(type) {
		case event.Note:
			notes = append(notes, e.Text)
		case event.Progress:
			if e.Unit == "pictures" {
				assert.Contains(t, []int{12, 48}, e.Total)
				assert.LessOrEqual(t, e.Done, e.Total)
			}
		}
	})
	require.NoError(t, err)
	assert.Contains(t, strings.Join(notes, "\n"), "train split: 48 of 48 pictures have more questions than fit into 30 tokens")
	assert.Equal(t, 12, r.Teacher.Throughput.Batch)
	assert.Equal(t, 12, pageOf(t, out).Cards, "whole pictures")
	teacher, err := model.Load(filepath.Join(out, "teacher"), torch.CPU)
	require.NoError(t, err)
	defer teacher.Store().Free()
	o, err := distillation.OpenOutputs(runtest.KeptAt(t, out, "teacher/outputs"), func() (func(*torch.Tensor) *torch.Tensor, error) {
		return teacher.Head, nil
	})
	require.NoError(t, err)
	defer o.Close()
	assert.GreaterOrEqual(t, o.Pictures(), 2*48, "a place for each part")
}
