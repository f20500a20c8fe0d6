package pipeline

import (
	"compress/gzip"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
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
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/needs"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

const answerPrompt = "Question: {question} Answer:"

// answerData writes a data set whose answers begin with before, and gives its folder.
func answerData(t *testing.T, before string) string {
	t.Helper()
	root := t.TempDir()
	for s, split := range []string{"train", "validation", "test"} {
		folder := filepath.Join(root, split)
		require.NoError(t, os.MkdirAll(folder, 0o755))
		var lines strings.Builder
		for i := range 4 {
			picture := image.NewRGBA(image.Rect(0, 0, 48, 48))
			for at := range 48 * 48 {
				picture.Set(at%48, at/48, color.RGBA{uint8(60 * i), uint8(at * (s + 1)), uint8(at / 48), 255})
			}
			f, err := os.Create(filepath.Join(folder, fmt.Sprintf("%d.png", i)))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, picture))
			require.NoError(t, f.Close())
			fmt.Fprintf(&lines, "{\"file_name\": \"%d.png\", \"question\": \"what colour is it\", \"answer\": %q}\n", i, before+[]string{"red", "dark blue"}[i%2])
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, "metadata.jsonl"), []byte(lines.String()), 0o644))
	}
	return root
}

// bytesTeacher writes a drawn BLIP-2 with OPT and a byte-level vocabulary; own is the prompt that its config carries.
func bytesTeacher(t *testing.T, own string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "teacher")
	c, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "num_query_tokens": 4, "image_token_index": 4,
		"vision_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 48, "patch_size": 24},
		"qformer_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "encoder_hidden_size": 16},
		"text_config": {"model_type": "opt", "hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
			"max_position_embeddings": 60, "vocab_size": 1501, "pad_token_id": 1, "eos_token_id": 2}}`))
	require.NoError(t, err)
	c.Prompt = own
	m, err := model.New(c)
	require.NoError(t, err)
	defer m.Store().Free()
	require.NoError(t, m.Store().Init(5, torch.CPU))
	require.NoError(t, m.Save(folder))
	require.NoError(t, model.ClipPreprocessor(48).Save(folder))
	packed, err := os.Open(filepath.Join("..", "model", "tokenizer", "testdata", "hub", "opt.json.gz"))
	require.NoError(t, err)
	defer packed.Close()
	file, err := gzip.NewReader(packed)
	require.NoError(t, err)
	tokens, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "tokenizer.json"), tokens, 0o644))
	return folder
}

// distilled runs one stage and gives the student's folder and what was said.
func distilled(t *testing.T, teacher, root, template string) (student, notes string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "run")
	cfg, err := config.Parse("answers.toml", fmt.Sprintf(`
threads = 1
device = "`+runtest.Device+`"
output = %q
[data]
root = %q
prompt = %q
[importance]
pictures = 4
batch = 4
[teacher]
checkpoint = %q
[[stage]]
name = "blocks"
keep = { vision = 1, language = 1 }
alpha = 1.0
[stage.distil]
steps = 3
batch = 4
lr = 1e-3
[eval]
latency_runs = 1
latency_warmup = 0
throughput_batch = 1`, out, root, template, teacher))
	require.NoError(t, err)
	var said []string
	_, err = runWith(context.Background(), cfg, func(e event.Event) {
		if n, ok := e.(event.Note); ok {
			said = append(said, n.Text)
		}
	})
	require.NoError(t, err)
	return filepath.Join(out, "student"), strings.Join(said, "\n")
}

// Answers with and without a space before them teach the same student, which carries the prompt of its run: that of
// data.prompt or, without it, its teacher's.
func TestAnswersWithAndWithoutSpace(t *testing.T) {
	torchtest.Setup(t)
	plain, notes := distilled(t, bytesTeacher(t, ""), answerData(t, ""), answerPrompt)
	assert.NotContains(t, notes, "espalier.prompt")
	assert.NotContains(t, notes, "tokenizer joins")
	spaced, notes := distilled(t, bytesTeacher(t, answerPrompt), answerData(t, " "), "")
	assert.Contains(t, notes, fmt.Sprintf("%q, the checkpoint's espalier.prompt", answerPrompt))
	other, _ := distilled(t, bytesTeacher(t, answerPrompt), answerData(t, " "), "{question}")
	for _, name := range []string{"model.safetensors", "config.json"} {
		want, err := os.ReadFile(filepath.Join(plain, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(spaced, name))
		require.NoError(t, err)
		assert.True(t, string(want) == string(got), "%s: the same bytes", name)
		got, err = os.ReadFile(filepath.Join(other, name))
		require.NoError(t, err)
		assert.False(t, string(want) == string(got), "%s: another prompt, another student", name)
	}
	for folder, want := range map[string]string{plain: answerPrompt, spaced: answerPrompt, other: "{question}"} {
		c, err := model.LoadConfig(folder)
		require.NoError(t, err)
		assert.Equal(t, want, c.Prompt)
	}
}

// answerCorpus is the training split of answerData as a checkpoint with byte-level words reads it.
func answerCorpus(t *testing.T, root, template string) (*corpus.Corpus, error) {
	t.Helper()
	set, err := data.Open(data.Config{Root: root, Size: 48})
	require.NoError(t, err)
	folder := bytesTeacher(t, "")
	c, err := model.LoadConfig(folder)
	require.NoError(t, err)
	words, err := prompt.Load(folder, c, template)
	require.NoError(t, err)
	return corpus.New(set.Train, corpus.Reading{Words: words, Pre: model.ClipPreprocessor(48), Form: c.Form(), On: torch.CPU})
}

// A prompt that ends in a space, which the vocabulary joins with the word behind it, is noted once, with a count.
func TestJoinedAnswersAreTold(t *testing.T) {
	torchtest.Setup(t)
	c, err := answerCorpus(t, answerData(t, ""), answerPrompt)
	require.NoError(t, err)
	assert.Empty(t, corpus.JoinedNote(c))
	want := c.Asked.Questions[0][0].Answer

	c, err = answerCorpus(t, answerData(t, ""), answerPrompt+" ")
	require.NoError(t, err)
	note := corpus.JoinedNote(c)
	assert.Contains(t, note, "4 answers")
	assert.Contains(t, note, filepath.Join("train", "metadata.jsonl")+`:1: "red" to "what colour is it"`)
	assert.NotContains(t, note, "jsonl:4", "the first few are enough")
	assert.Equal(t, want, c.Asked.Questions[0][0].Answer)
}

// A teacher that gives the right answer in other words than the data's is noted; one that gives a wrong one, or the same
// words, is not.
func TestAnswersOfAnotherForm(t *testing.T) {
	torchtest.Setup(t)
	c, err := answerCorpus(t, answerData(t, ""), answerPrompt)
	require.NoError(t, err)
	encode := func(text string) []int {
		ids, err := c.Words.Answers.Encode(text)
		require.NoError(t, err)
		return ids
	}
	var o measure.Form
	o.Hear(c, 0, 0, encode(" red"))
	o.Hear(c, 1, 0, encode(" red"))
	assert.Zero(t, o.Other)
	o.Hear(c, 2, 0, encode("red"))
	o.Hear(c, 3, 0, encode(" Dark blue."))
	assert.Equal(t, 2, o.Other)
	said := o.Note(c)
	assert.Contains(t, said, "2 of the teacher's 3 right answers")
	assert.Contains(t, said, `metadata.jsonl:3: the teacher says "red"`)
	assert.Contains(t, said, `the data " red"`)
}

// An answer with an end of its own, or with what the vocabulary does not have, is learnt as something else, and can never
// be right.
func TestAnswersThatTheTokenizerCannotWrite(t *testing.T) {
	torchtest.Setup(t)
	for before, want := range map[string]string{"": "", "</s>": "4 of 4 training answers cannot be written in the tokenizer's tokens"} {
		c, err := answerCorpus(t, answerData(t, before), answerPrompt)
		require.NoError(t, err)
		var notes []string
		cfg := config.Default()
		require.NoError(t, needs.Check(needs.Input{Config: cfg, Network: &model.Config{Text: model.TextConfig{ModelType: "t5"}}, Train: c, Validation: c, Test: c,
			Events: func(e event.Event) { notes = append(notes, e.(event.Note).Text) }}))
		if want == "" {
			assert.Empty(t, notes)
			continue
		}
		require.NotEmpty(t, notes)
		assert.Contains(t, notes[len(notes)-1], want)
		assert.Contains(t, notes[len(notes)-1], `metadata.jsonl:1 "</s>red"`)
	}
}

// A place for the picture within a question is the user's fault, with file and line.
func TestPlaceholderHasItsLine(t *testing.T) {
	torchtest.Setup(t)
	splits := plainSplits()
	splits["train"][2].question = "what colour has <image>"
	assert.Contains(t, faultOf(t, dataFolder(t, splits), smallRun), "train/metadata.jsonl:3: the question holds <image> behind its beginning")
}
