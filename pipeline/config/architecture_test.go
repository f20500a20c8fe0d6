package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/tokenizer"
)

const architecture = `{"model_type": "blip-2", "num_query_tokens": 4,
	"vision_config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 48, "patch_size": 12},
	"qformer_config": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "encoder_hidden_size": 32},
	"text_config": {"model_type": "opt", "hidden_size": 24, "word_embed_proj_dim": 24, "ffn_dim": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
		"max_position_embeddings": 40, "pad_token_id": 7, "bos_token_id": 8, "eos_token_id": 9}}`

// described writes a config.json, changed by pairs of old and new, and gives its path and small with it.
func described(t *testing.T, changes ...string) (path, text string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(architecture)), 0o644))
	return path, strings.NewReplacer("[teacher.train]", "[teacher.train]\nconfig = \""+path+"\"", "vision = 2", "vision = 1", "language = 32", "language = 12").Replace(small)
}

func wordList(t *testing.T, words ...string) tokenizer.Tokenizer {
	t.Helper()
	list, err := tokenizer.NewWordLevel(append([]string{"<pad>", "<eos>", "<unk>"}, words...))
	require.NoError(t, err)
	return list
}

// A network without tokenizer files gets the vocabulary and the special ids of the data's words, under the keys of its family.
func TestArchitectureReadsTheWordsOfTheData(t *testing.T) {
	for name, c := range map[string]struct {
		changes           []string
		vocabulary, image int
	}{
		"left out":                    {nil, 5, 0},
		"given":                       {[]string{`"pad_token_id"`, `"vocab_size": 8, "pad_token_id"`}, 8, 0},
		"with a place of the picture": {[]string{`"pad_token_id"`, `"vocab_size": 8, "pad_token_id"`, `"model_type": "blip-2"`, `"model_type": "blip-2", "image_token_index": 5`}, 8, 5},
		"a place that is a word":      {[]string{`"pad_token_id"`, `"vocab_size": 8, "pad_token_id"`, `"model_type": "blip-2"`, `"model_type": "blip-2", "image_token_index": 4`}, 8, 0},
	} {
		path, _ := described(t, c.changes...)
		got, err := (&TrainConfig{Config: path}).ModelConfig(48, wordList(t, "red", "blue"))
		require.NoError(t, err, name)
		assert.Equal(t, c.vocabulary, got.Text.Vocabulary, name)
		assert.Equal(t, c.image, *got.ImageToken, name)
		assert.Equal(t, [3]int{0, 1, 1}, [3]int{got.Text.Pad, got.Text.BOS, got.Text.EOS}, name)
	}
	path, _ := described(t, `"model_type": "blip-2"`, `"model_type": "instructblip"`)
	got, err := (&TrainConfig{Config: path}).ModelConfig(48, wordList(t, "red"))
	require.NoError(t, err)
	assert.Equal(t, [2]int{4, 4}, [2]int{got.QFormer.Vocabulary, got.Text.Vocabulary}, "the Q-Former reads the same words")

	folder := t.TempDir()
	got, err = (&TrainConfig{Config: path, Tokenizer: folder}).ModelConfig(48, wordList(t, "red"))
	require.NoError(t, err)
	assert.Equal(t, [3]int{7, 50272, 30522}, [3]int{got.Text.Pad, got.Text.Vocabulary, got.QFormer.Vocabulary}, "with a tokenizer the config counts as it is")
	_, err = (&TrainConfig{Config: path}).ModelConfig(48, wordList(t, "red"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "tokenizer.json"), []byte("{}"), 0o644))
	got, err = (&TrainConfig{Config: path}).ModelConfig(48, wordList(t, "red"))
	require.NoError(t, err)
	assert.Equal(t, 50272, got.Text.Vocabulary, "one beside the config, too")
}

// What is wrong with a config is found when the file is read, and names it.
func TestArchitectureFaults(t *testing.T) {
	path, text := described(t)
	_, err := Parse("run.toml", text)
	require.NoError(t, err)
	for want, text := range map[string]string{
		`run.toml:6: teacher.train.vision: the sizes of the network stand in config = "` + path + `": leave out this table, or config`: strings.Replace(text, path+"\"", path+"\"\nvision = { width = 160 }", 1),
		`run.toml:5: teacher.train.tokenizer: it belongs to a config, and there is none: give config, or leave tokenizer out`:          strings.Replace(small, "[teacher.train]", "[teacher.train]\ntokenizer = \"x\"", 1),
		`run.toml:8: stage[0] "blocks": keep.vision: 3 is more than the 2 that vision_model.encoder.layers then has; lower it`:         strings.Replace(text, "vision = 1", "vision = 3", 1),
		`run.toml:5: teacher.train.config: stat /nowhere/config.json: no such file or directory; name the config.json of a network`:    strings.Replace(text, path, "/nowhere/config.json", 1),
		`run.toml:6: teacher.train.config: ` + path + `: vision_config.image_size is 48 and data.size 36; set data.size = 48`:          strings.Replace(text, `"ads"`, "\"ads\"\nsize = 36", 1),
	} {
		assert.Equal(t, []string{want}, faultsOf(t, text))
	}
	for want, changes := range map[string][]string{
		"text_config.model_type \"gpt2\": this program computes":            {`"model_type": "opt"`, `"model_type": "gpt2"`},
		"qformer_config.encoder_hidden_size 32 is not vision_config.hidden": {`{"hidden_size": 32`, `{"hidden_size": 40`},
		"not JSON": {`{"model_type": "blip-2"`, `{"model_type" "blip-2"`},
	} {
		path, text := described(t, changes...)
		faults := faultsOf(t, text)
		require.NotEmpty(t, faults)
		assert.Contains(t, faults[0], "run.toml:5: teacher.train.config: "+path+": ")
		if want != "not JSON" {
			assert.Contains(t, faults[0], want)
		}
	}
	path, _ = described(t, `"pad_token_id"`, `"vocab_size": 4, "pad_token_id"`)
	_, err = (&TrainConfig{Config: path}).ModelConfig(48, wordList(t, "red", "blue"))
	assert.EqualError(t, err, path+": text_config.vocab_size is 4, the data have 5 words, special ones included; raise it, leave it out to have it set, or give tokenizer files")
	path, _ = described(t, `"blip-2"`, `"instructblip"`, `"encoder_hidden_size"`, `"vocab_size": 4, "encoder_hidden_size"`)
	_, err = (&TrainConfig{Config: path}).ModelConfig(48, wordList(t, "red", "blue"))
	assert.ErrorContains(t, err, "qformer_config.vocab_size is 4, the data have 5 words")
}

// The resolved form of a run with a config has no tables of sizes, and gives the same configuration.
func TestResolvedArchitecture(t *testing.T) {
	_, text := described(t)
	c, err := Parse("run.toml", text)
	require.NoError(t, err)
	resolved := c.Resolved()
	train := resolved["teacher"].(map[string]any)["train"].(map[string]any)
	assert.NotContains(t, train, "vision")
	assert.Contains(t, train, "steps")
	data, err := json.Marshal(resolved)
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, json.Unmarshal(data, &read))
	again, err := FromResolved("report", read)
	require.NoError(t, err)
	assert.Equal(t, c.Teacher, again.Teacher)

	c.Teacher.Train.Vision.Width = 200
	_, err = c.Resolve()
	assert.ErrorContains(t, err, "config: teacher.train.vision: the sizes of the network stand in config")
}
