package pipeline

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
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
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// putTokenizer unpacks one of the committed tokenizers of published checkpoints into a folder.
func putTokenizer(t *testing.T, kind, folder string) {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join("..", "model", "tokenizer", "testdata", "hub", kind+".json.gz"))
	require.NoError(t, err)
	file, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	text, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "tokenizer.json"), text, 0o644))
}

// described is the tiny run with a teacher that a config.json describes, in a folder of its own.
func described(t *testing.T, configuration []byte) (folder, text string) {
	t.Helper()
	folder = t.TempDir()
	path := filepath.Join(folder, "config.json")
	require.NoError(t, os.WriteFile(path, configuration, 0o644))
	a, b := strings.Index(runtest.Tiny, "vision   ="), strings.Index(runtest.Tiny, "pretrain_steps")
	text = runtest.Tiny[:a] + fmt.Sprintf("config = %q\n", path) + runtest.Tiny[b:]
	return folder, strings.NewReplacer("keep = { vision = 1, language = 1 }", "keep = { vision = 1, qformer = 2, language = 1 }",
		`vision = { heads = 2, ffn = "50%" }, language`, `vision = { heads = 2, ffn = "50%" }, qformer = { heads = 2, ffn = "50%" }, language`,
		"max_answer_tokens = 4", "max_answer_tokens = 12", "train = 48", "train = 16", "= 12\n", "= 6\n").Replace(text)
}

// Teachers of the three public forms are trained from a config of transformers' form, with the words of the data or tokenizer
// files, and go through all stages. What is left of them is a checkpoint: a run that loads it makes the same student.
func TestTeachersOfAConfig(t *testing.T) {
	for _, f := range []struct {
		kind, language, words, instructions string
		vocabulary                          int
	}{
		{"blip-2", "opt", "", "", 88}, {"blip-2", "t5", "t5", "", 1520}, {"instructblip", "llama", "llama", "bert", 1704},
	} {
		t.Run(f.kind+" "+f.language, func(t *testing.T) {
			torchtest.Setup(t)
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			// As published ones, the configs leave out what follows from other keys.
			derived := strings.NewReplacer(`"head_dim": 6, `, "", `"num_decoder_layers": 3, `, "", `"max_position_embeddings": 16`, `"max_position_embeddings": 32`)
			folder, text := described(t, []byte(derived.Replace(string(runtest.NetworkConfig(t, f.kind, f.language, f.vocabulary, 1810)))))
			if f.words != "" {
				putTokenizer(t, f.words, folder)
				require.NoError(t, model.ClipPreprocessor(48).Save(folder))
			}
			if f.instructions != "" {
				putTokenizer(t, f.instructions, filepath.Join(folder, prompt.InstructionFolder))
			}
			out := filepath.Join(t.TempDir(), "run")
			cfg, err := config.Parse("run.toml", text, "output="+out, "export.format=transformers")
			require.NoError(t, err)
			r, err := runWith(context.Background(), cfg, nil)
			require.NoError(t, err)
			require.Len(t, r.Stages, 3)
			for _, s := range r.Stages {
				assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
			}

			teacher := filepath.Join(out, "teacher")
			m, err := model.Load(teacher, torch.CPU)
			require.NoError(t, err)
			defer m.Store().Free()
			c := m.Config()
			assert.Equal(t, f.vocabulary, c.Text.Vocabulary)
			words, err := prompt.Load(teacher, c, "")
			require.NoError(t, err)
			assert.Equal(t, []int{words.Answers.EOS()}, words.Ends(), "config and tokenizer end answers alike")
			assert.Equal(t, words.Answers.Pad(), c.Text.Pad)
			pre, err := model.LoadPreprocessorFor(teacher, c)
			require.NoError(t, err)
			assert.Equal(t, f.words == "", pre.Mean == model.AdsPreprocessor(48).Mean, "the folder's preprocessing, or the program's own")

			a, b := strings.Index(text, "[teacher.train]"), strings.Index(text, "[[stage]]")
			again := filepath.Join(t.TempDir(), "run")
			cfg, err = config.Parse("run.toml", text[:a]+fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher)+text[b:], "output="+again, "export.format=transformers")
			require.NoError(t, err)
			_, err = runWith(context.Background(), cfg, nil)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(student(t, out), student(t, again)))
			s, err := model.Load(filepath.Join(out, "student"), torch.CPU)
			require.NoError(t, err)
			s.Store().Free()
		})
	}
}

// The config of a student describes its sizes, however it was cut: the same network can be trained from its first values.
func TestAStudentsConfigIsTrained(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	r, err := runWith(context.Background(), tinyConfig(t, out), nil)
	require.NoError(t, err)
	a, b := strings.Index(runtest.Tiny, "vision   ="), strings.Index(runtest.Tiny, "pretrain_steps")
	text := runtest.Tiny[:a] + fmt.Sprintf("config = %q\n", filepath.Join(out, "student", "config.json")) + runtest.Tiny[b:]
	cfg, err := config.Parse("run.toml", text, "output="+filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var trained int64
	_, err = runWith(ctx, cfg, func(e event.Event) {
		if e, ok := e.(event.TeacherMeasured); ok {
			trained = e.Model.Parameters
			stop()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, r.Student.Parameters, trained)
}

// A teacher is trained anew when its config or a tokenizer file changes, not when the file is called otherwise or has other
// neighbours.
func TestWhatMovesATeacherOfAConfig(t *testing.T) {
	torchtest.Setup(t)
	store := t.TempDir()
	trains := func(text string) (trained bool) {
		cfg, err := config.Parse("run.toml", text, "output="+filepath.Join(t.TempDir(), "run"), "store="+store)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		_, err = runWith(ctx, cfg, func(e event.Event) {
			switch e := e.(type) {
			case event.Phase:
				trained = trained || e.Stage == "teacher" && e.Name == "train"
			case event.TeacherMeasured:
				stop()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		return trained
	}
	configuration := runtest.NetworkConfig(t, "blip-2", "llama", 1704, 85)
	folder, text := described(t, configuration)
	putTokenizer(t, "llama", folder)
	assert.True(t, trains(text))
	moved, text := described(t, configuration)
	putTokenizer(t, "llama", moved)
	require.NoError(t, os.WriteFile(filepath.Join(moved, "README.md"), []byte("x"), 0o644))
	assert.False(t, trains(text), "the same files elsewhere")
	require.NoError(t, os.WriteFile(filepath.Join(moved, "special_tokens_map.json"), []byte(`{"pad_token": "<unk>"}`), 0o644))
	assert.True(t, trains(text), "a tokenizer file")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), bytes.Replace(configuration, []byte(`"intermediate_size": 40`), []byte(`"intermediate_size": 48`), 1), 0o644))
	alone, text := described(t, configuration)
	assert.False(t, trains(strings.Replace(text, "config = ", fmt.Sprintf("tokenizer = %q\nconfig = ", folder), 1)), "a tokenizer by its key")
	assert.True(t, trains(strings.Replace(strings.Replace(text, alone, folder, 1), "config = ", fmt.Sprintf("tokenizer = %q\nconfig = ", folder), 1)), "the config")
}

// Files that do not go together are the user's fault, named before anything is computed.
func TestFaultsOfAConfigsFiles(t *testing.T) {
	torchtest.Setup(t)
	faultOf := func(text string) string {
		t.Helper()
		cfg, err := config.Parse("run.toml", text, "output="+filepath.Join(t.TempDir(), "run"))
		require.NoError(t, err)
		_, err = runWith(context.Background(), cfg, nil)
		require.ErrorAs(t, err, new(*fault.InputError))
		return err.Error()
	}
	folder, text := described(t, runtest.NetworkConfig(t, "blip-2", "llama", 1600, 85))
	putTokenizer(t, "llama", folder)
	assert.Equal(t, folder+": tokenizer.json has 1701 words, the language model 1600; they do not belong together", faultOf(text))
	_, text = described(t, runtest.NetworkConfig(t, "blip-2", "opt", 60, 85))
	assert.Contains(t, faultOf(text), "text_config.vocab_size is 60, the data have 85 words")
	assert.Contains(t, faultOf(strings.Replace(text, "config = ", "tokenizer = \"nowhere\"\nconfig = ", 1)), "nowhere has no tokenizer.json")
	folder, text = described(t, runtest.NetworkConfig(t, "blip-2", "opt", 88, 85))
	require.NoError(t, model.ClipPreprocessor(36).Save(folder))
	assert.Contains(t, faultOf(text), "the preprocessor makes pictures of 36 × 36, the network sees 48 × 48")
}
