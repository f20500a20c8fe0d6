package model_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A prompt alone is no structure, and a structure alone no prompt; what is written is what was set.
func TestConfigCarriesThePrompt(t *testing.T) {
	torchtest.Setup(t)
	const prompt = `Question: {question} Answer:`
	data, err := os.ReadFile(filepath.Join(modeltest.Folder("blip2_opt"), "config.json"))
	require.NoError(t, err)
	c, err := model.ParseConfig(data)
	require.NoError(t, err)
	require.Empty(t, c.Prompt)
	plain, err := c.Marshal()
	require.NoError(t, err)
	assert.NotContains(t, string(plain), "espalier")

	c.Prompt = prompt
	written, err := c.Marshal()
	require.NoError(t, err)
	again, err := model.ParseConfig(written)
	require.NoError(t, err)
	assert.Nil(t, again.Structure)
	assert.Equal(t, prompt, again.Prompt)

	m, err := model.New(again)
	require.NoError(t, err)
	defer m.Store().Free()
	require.NoError(t, m.Store().InitAs(1, torch.Float32, torch.CPU))
	rebuilt, err := m.Rebuild(m.Store().Structure())
	require.NoError(t, err)
	assert.Equal(t, prompt, rebuilt.Config().Prompt, "a student inherits it")
	folder := t.TempDir()
	require.NoError(t, m.Save(folder))
	saved, err := model.LoadConfig(folder)
	require.NoError(t, err)
	assert.Equal(t, prompt, saved.Prompt)
	assert.Equal(t, m.Store().Structure(), *saved.Structure)

	saved.Prompt = ""
	without, err := saved.Marshal()
	require.NoError(t, err)
	var file struct {
		Espalier map[string]any
	}
	require.NoError(t, json.Unmarshal(without, &file))
	assert.Contains(t, file.Espalier, "axes")
	assert.NotContains(t, file.Espalier, "prompt")
}

// eos_token_id may be a list, a number, missing or null; null is none, not the first word.
func TestConfigEnds(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(modeltest.Folder("blip2_opt"), "config.json"))
	require.NoError(t, err)
	for given, want := range map[string][]int{`[7, 9]`: {7, 9}, `5`: {5}, `null`: nil, ``: {2}} {
		var file map[string]any
		require.NoError(t, json.Unmarshal(data, &file))
		text := file["text_config"].(map[string]any)
		delete(text, "eos_token_id")
		if given != "" {
			text["eos_token_id"] = json.RawMessage(given)
		}
		config, err := json.Marshal(file)
		require.NoError(t, err)
		c, err := model.ParseConfig(config)
		require.NoError(t, err, given)
		assert.Equal(t, want, c.Text.Ends, given)
		assert.Equal(t, append(want, -1)[0], c.Text.EOS, given)
		again, err := c.Marshal()
		require.NoError(t, err)
		assert.JSONEq(t, string(config), string(again), given)
	}
}

// A pad_token_id that is null, or missing where the family's default is none, names none: not the first word. It is written as it was read.
func TestConfigPad(t *testing.T) {
	for _, c := range []struct {
		keys string
		want int
	}{
		{`"model_type": "llama"`, -1}, {`"model_type": "llama", "pad_token_id": null`, -1}, {`"model_type": "llama", "pad_token_id": 3`, 3},
		{`"model_type": "opt"`, 1}, {`"model_type": "opt", "pad_token_id": null`, -1}, {`"model_type": "opt", "pad_token_id": 0`, 0},
		{`"model_type": "t5"`, 0}, {`"model_type": "t5", "pad_token_id": null`, -1},
	} {
		config := `{"text_config": {` + c.keys + `}}`
		got, err := model.ParseConfig([]byte(config))
		require.NoError(t, err)
		assert.Equal(t, c.want, got.Text.Pad, config)
		again, err := got.Marshal()
		require.NoError(t, err)
		var was, is struct {
			Text map[string]any `json:"text_config"`
		}
		require.NoError(t, json.Unmarshal([]byte(config), &was))
		require.NoError(t, json.Unmarshal(again, &is))
		assert.Equal(t, was, is)
	}
}
