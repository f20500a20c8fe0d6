package pipeline

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/model/tokenizer"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/report"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// tokenStages cut tokens as a part of a stage and in one of their own, with scores of every kind of loss between the cuts.
const tokenStages = `
[[stage]]
name = "blocks"
criterion = "taylor-sample"
keep = { vision = 1, queries = 3, vocabulary = "used" }
alpha = 1.0
[stage.distil]
steps = 2
batch = 8
[[stage]]
name = "tokens"
loss = "distillation"
keep = { queries = 2, vocabulary = "95%" }
alpha = 1.0
[stage.distil]
steps = 2
batch = 8
[eval]
`

// hubTeacher writes a network of a family with a tokenizer of Hugging Face's, a vocabulary that is rounded up, and a token for the
// picture's place at its end.
func hubTeacher(t *testing.T, kind, language string) (folder string, vocabulary int) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "teacher")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	f, err := os.Open(filepath.Join("..", "model", "tokenizer", "testdata", "hub", language+".json.gz"))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "tokenizer.json"), text, 0o644))
	words, err := tokenizer.Load(folder)
	require.NoError(t, err)
	vocabulary = words.Size() + 20
	named := fmt.Sprintf(`"pad_token_id": %d, "eos_token_id": %d, "model_type"`, words.Pad(), words.EOS())
	m := runtest.Network(t, kind, language, vocabulary, func(text string) string {
		return strings.Replace(strings.Replace(text, `, "pad_token_id": 0, "eos_token_id": 1`, "", 1), `"model_type"`, named, 1)
	})
	image := vocabulary - 1
	m.Config().ImageToken = &image
	require.NoError(t, m.Save(folder))
	require.NoError(t, model.AdsPreprocessor(48).Save(folder))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "processor_config.json"), []byte(`{"num_query_tokens": 4, "processor_class": "Blip2Processor"}`), 0o644))
	if kind == "instructblip" {
		set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 1, Validation: 1, Test: 1, OOD: 1})
		require.NoError(t, err)
		inner := filepath.Join(folder, prompt.InstructionFolder)
		require.NoError(t, os.Mkdir(inner, 0o755))
		require.NoError(t, set.Tokenizer.SaveTo(inner))
	}
	return folder, vocabulary
}

// Every kind of language model goes through stages that cut its query tokens and its vocabulary: each cut is proved, the student learns from the
// teacher's logits over the tokens that are left, and stands alone with a tokenizer and ids of its own, which transformers' config
// can say.
func TestStagesCutTokens(t *testing.T) {
	for _, f := range [][2]string{{"blip-2", "opt"}, {"instructblip", "t5"}, {"instructblip", "llama"}} {
		t.Run(f[0]+" "+f[1], func(t *testing.T) {
			torchtest.Setup(t)
			teacher, vocabulary := hubTeacher(t, f[0], f[1])
			text := runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + tokenStages + runtest.Tiny[strings.Index(runtest.Tiny, "[eval]")+len("[eval]\n"):] + "[energy]\ntrials = 1\n"
			out := filepath.Join(t.TempDir(), "run")
			cfg, err := config.Parse("tokens.toml", text, "output="+out, "eval.max_answer_tokens=12", "data.train=24", "data.validation=6", "data.test=4", "data.ood=4", "importance.pictures=8")
			require.NoError(t, err)
			var cuts []string
			r, err := Run(context.Background(), cfg, Options{machine: madeUp(&metronome{}), Events: func(e event.Event) {
				if c, ok := e.(event.Cut); ok {
					cuts = append(cuts, c.Left)
				}
			}})
			require.NoError(t, err)
			assert.Equal(t, report.Estimated, r.Energy.Best().Basis, "the student's answers, in ids of its own")
			for _, s := range r.Stages {
				assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
			}
			assert.Less(t, r.Student.ParametersByPart.Embeddings, r.Teacher.ParametersByPart.Embeddings/2)

			at := filepath.Join(out, "student")
			m, err := model.Load(at, torch.CPU)
			require.NoError(t, err)
			defer m.Store().Free()
			words, err := prompt.Load(at, m.Config(), "")
			require.NoError(t, err)
			size := m.Store().Axis("language_model.vocabulary").Units()
			assert.Less(t, size, vocabulary/2)
			assert.Equal(t, fmt.Sprintf("qformer queries 2, language vocabulary %d", size), cuts[1])
			assert.Equal(t, size-1, *m.Config().ImageToken)
			assert.LessOrEqual(t, words.Answers.Size(), size)
			before, err := tokenizer.Load(teacher)
			require.NoError(t, err)
			q := "which color is it"
			whole, err := before.EncodePrompt(q)
			require.NoError(t, err)
			cut, err := words.Answers.EncodePrompt(q)
			require.NoError(t, err)
			assert.Equal(t, before.Decode(whole), words.Answers.Decode(cut))
			_, err = words.Answers.EncodePrompt("Ein ganz anderer Text, 学")
			assert.NoError(t, err)

			processor, err := os.ReadFile(filepath.Join(at, "processor_config.json"))
			require.NoError(t, err)
			assert.JSONEq(t, `{"num_query_tokens": 2, "processor_class": "Blip2Processor"}`, string(processor), "transformers puts as many places into a prompt")
			hub, err := m.HubConfig()
			require.NoError(t, err)
			assert.Equal(t, []int{2, size}, []int{hub.Queries, hub.Text.Vocabulary})
			assert.True(t, slices.Contains(hub.Text.Ends, words.Answers.EOS()))
			assert.Equal(t, []string{hub.Class()}, hub.Classes, "by which vLLM knows a checkpoint")
			files := folderOf(t, out, "student")
			assert.Contains(t, files["config.json"], fmt.Sprintf(`"architectures": [
    %q
  ]`, hub.Class()))
			for _, part := range []string{"library_name: transformers\n", "# teacher, ", "from transformers import AutoProcessor, " + hub.Class() + "\n", "query tokens 3 → 2; language: vocabulary "} {
				assert.Contains(t, files["README.md"], part)
			}

			if f[1] != "t5" {
				return
			}
			verified, err := Verify(context.Background(), out, nil)
			require.NoError(t, err)
			for _, v := range verified {
				assert.Empty(t, v.Different, "%s is measured as the run did, with its own tokenizer", v.Name)
			}
		})
	}
}

// Each candidate of a stage that cuts the vocabulary too learns and answers in the ids that it has, also behind one that is not tried.
func TestCandidatesOfAStageThatCutsTokens(t *testing.T) {
	torchtest.Setup(t)
	teacher, _ := hubTeacher(t, "blip-2", "opt")
	text := runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) +
		tokenStages[:strings.LastIndex(tokenStages, "[[stage]]")] + runtest.Tiny[strings.Index(runtest.Tiny, "[eval]"):]
	cfg, err := config.Parse("tokens.toml", text, "output="+filepath.Join(t.TempDir(), "run"), "eval.max_answer_tokens=12", "data.train=24", "data.validation=6", "data.test=4", "data.ood=4",
		"importance.pictures=8", `stage.blocks.keep={ vision = 1, vocabulary = "used" }`, `stage.blocks.candidates=["magnitude", "last", "cosine"]`, "stage.blocks.candidate_steps=1",
		"stage.blocks.distil.steps=12")
	require.NoError(t, err)
	r, err := Run(context.Background(), cfg, Options{})
	require.NoError(t, err)
	tried := 0
	for _, c := range r.Stages[0].Candidates {
		if c.SameAs == "" {
			tried++
		}
	}
	assert.Greater(t, tried, 1)
	assert.NotEmpty(t, r.Stages[0].Candidates[3].SameAs, "the last one cuts as another, or this test shows nothing: choose another order")
}
