package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// adsCorpus is drawn pictures, each with five questions, as a network reads them.
func adsCorpus(t *testing.T, form model.Form, words func(*data.Dataset) prompt.Words) *corpus {
	t.Helper()
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 3, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	c, err := newCorpus(set.Train, words(set), model.AdsPreprocessor(48), form, torch.CPU)
	require.NoError(t, err)
	return c
}

func ownWords(set *data.Dataset) prompt.Words { return prompt.Words{Answers: set.Tokenizer} }

// askedCorpus is black pictures with so many questions each, of five tokens and an answer.
func askedCorpus(t *testing.T, questions ...int) *corpus {
	t.Helper()
	root := t.TempDir()
	var black bytes.Buffer
	require.NoError(t, png.Encode(&black, image.NewGray(image.Rect(0, 0, 8, 8))))
	var lines strings.Builder
	for i, n := range questions {
		require.NoError(t, os.WriteFile(filepath.Join(root, fmt.Sprint(i, ".png")), black.Bytes(), 0o644))
		for range n {
			fmt.Fprintf(&lines, "{\"file_name\": \"../%d.png\", \"question\": \"what is it this time\", \"answer\": \"red\"}\n", i)
		}
	}
	for _, split := range []string{"train", "validation", "test"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, split), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, split, "metadata.jsonl"), []byte(lines.String()), 0o644))
	}
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	c, err := newCorpus(set.Train, ownWords(set), model.AdsPreprocessor(8), model.Form{}, torch.CPU)
	require.NoError(t, err)
	return c
}

func TestDivide(t *testing.T) {
	torchtest.Setup(t)
	c := askedCorpus(t, 3, 60, 4)
	require.Equal(t, 16+60*6, c.form.Tokens(16, c.questions[1]), "six tokens a question")
	note := c.divide(0, 16, 4) // to 96 tokens, 13 questions
	assert.Contains(t, note, "train split: 1 of 3 pictures have more questions than fit into 96 tokens (most: ")
	assert.Contains(t, note, "metadata.jsonl:4, 60 questions, 376 tokens)")
	assert.Contains(t, note, "each of their 5 parts")
	var sizes []int
	for i, qs := range c.questions {
		sizes = append(sizes, len(qs))
		assert.Len(t, c.split.Questions(i), len(qs))
		assert.Len(t, c.teacher[i], len(qs))
	}
	assert.Equal(t, []int{3, 13, 13, 13, 13, 8, 4}, sizes)

	shares, asked, err := c.shares(2, 2)
	require.NoError(t, err)
	assert.Equal(t, []int{0}, shares[0].Index)
	assert.Equal(t, []int{1, 2, 3, 4, 5}, shares[1].Index, "throughput is that of whole pictures")
	assert.Equal(t, 63, asked)

	for _, whole := range []struct {
		asked []int
		limit int
	}{{[]int{20, 21, 20}, 0}, {[]int{1, 60, 1}, 376}} {
		c := askedCorpus(t, whole.asked...)
		assert.Empty(t, c.divide(whole.limit, 16, 4))
		assert.Nil(t, c.split.Parts())
	}

	c = askedCorpus(t, 2, 3)
	require.NotEmpty(t, c.divide(10, 16, 4))
	assert.Len(t, c.questions, 5, "a question that is too long stands alone")

	c = askedCorpus(t, 2)
	for i := range c.questions[0] {
		c.questions[0][i].Answer = nil
	}
	assert.NotEmpty(t, c.divide(16+2*9-1, 16, 4), "an answer that is still to come takes its room")
	assert.Nil(t, c.questions[0][0].Answer)
}

// A cached teacher belongs to its batches.
func TestTeacherCacheKnowsParts(t *testing.T) {
	torchtest.Setup(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 3, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	folder := func(limit int) string {
		c := adsCorpus(t, model.Form{}, ownWords)
		c.divide(limit, 16, 4)
		return (&run{cfg: config.Default(), set: set, train: c}).teacherCache()
	}
	assert.Equal(t, folder(0), folder(1000), "nothing was divided")
	assert.NotEqual(t, folder(0), folder(40))
	assert.NotEqual(t, folder(30), folder(40))
}

func TestChosenRowTokens(t *testing.T) {
	assert.Equal(t, fewestRowTokens, chosenRowTokens([]int{20, 20, 7000}))
	assert.Equal(t, 150, chosenRowTokens([]int{7000, 100, 20}))
	assert.Equal(t, mostRowTokens, chosenRowTokens([]int{7000}))
}

// The parts of a picture are one picture to the gate.
func TestGateKeepsPartsTogether(t *testing.T) {
	torchtest.Setup(t)
	c := adsCorpus(t, model.Form{}, ownWords)
	require.NotEmpty(t, c.divide(30, 16, 4))
	m := make(marks, c.split.Len())
	for i := range m {
		m[i] = make([]bool, len(c.split.Questions(i)))
	}
	var pictures []int
	for _, a := range answersOf(c.split, m, m) {
		pictures = append(pictures, a.Picture)
	}
	assert.Equal(t, slices.Concat(slices.Repeat([]int{0}, 5), slices.Repeat([]int{1}, 5), slices.Repeat([]int{2}, 5)), pictures)
}

// A run over divided pictures goes from the teacher's training to the report and counts pictures, not parts.
func TestRunOverDividedPictures(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	var notes []string
	r, err := Run(context.Background(), tinyConfig(t, out, "data.row_tokens=30", "eval.throughput_batch=100"), func(e Event) {
		switch e := e.(type) {
		case Note:
			notes = append(notes, e.Text)
		case Progress:
			if e.Unit == "pictures" {
				assert.Contains(t, []int{12, 48}, e.Total)
				assert.LessOrEqual(t, e.Done, e.Total)
			}
		}
	})
	require.NoError(t, err)
	assert.Contains(t, strings.Join(notes, "\n"), "train split: 48 of 48 pictures have more questions than fit into 30 tokens")
	assert.Equal(t, 12, r.Teacher.Throughput.Batch)
	teacher, err := model.Load(filepath.Join(out, "teacher"), torch.CPU)
	require.NoError(t, err)
	defer teacher.Store().Free()
	o, err := distillation.OpenOutputs(filepath.Join(out, "teacher_outputs.safetensors"), teacher)
	require.NoError(t, err)
	defer o.Close()
	assert.GreaterOrEqual(t, o.Pictures(), 2*48, "a place for each part")
}
