package model_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// What is written is what was read, also where a key holds another type than usual.
func TestConfigRoundTrip(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(modeltest.Folder("blip2_opt"), "config.json"))
	require.NoError(t, err)
	c, err := model.ParseConfig(data)
	require.NoError(t, err)
	many := strings.Replace(string(data), `"eos_token_id": `+strconv.Itoa(c.Text.EOS), `"eos_token_id": [7, 9]`, 1)
	require.NotEqual(t, string(data), many)
	for _, text := range []string{string(data), many} {
		c, err := model.ParseConfig([]byte(text))
		require.NoError(t, err)
		again, err := c.Marshal()
		require.NoError(t, err)
		assert.JSONEq(t, text, string(again))
	}
	c, err = model.ParseConfig([]byte(many))
	require.NoError(t, err)
	assert.Equal(t, 7, c.Text.EOS)
	assert.Equal(t, []int{7, 9}, c.Text.Ends)
}

// A network whose config speaks of halves and whose weights are float32 was trained further: transformers, which
// believes the config, must not round it.
func TestTrainedHalvesSayFloat32(t *testing.T) {
	torchtest.Setup(t)
	data, err := os.ReadFile(filepath.Join(modeltest.Folder("blip2_opt"), "config.json"))
	require.NoError(t, err)
	for _, key := range []string{"dtype", "torch_dtype"} {
		text := strings.ReplaceAll(string(data), `"dtype": "float32"`, `"`+key+`": "bfloat16"`)
		text = strings.Replace(text, `"qformer_config": {`, `"qformer_config": {"`+key+`": "bfloat16",`, 1) // as before transformers 5
		require.Equal(t, 2, strings.Count(text, "bfloat16"))
		c, err := model.ParseConfig([]byte(text))
		require.NoError(t, err)
		m, err := model.New(c)
		require.NoError(t, err)
		defer m.Store().Free()
		for d, want := range map[torch.DType]string{torch.BFloat16: "bfloat16", torch.Float32: "float32"} {
			require.NoError(t, m.Store().InitAs(1, d, torch.CPU))
			folder := t.TempDir()
			require.NoError(t, m.Save(folder))
			written, err := os.ReadFile(filepath.Join(folder, "config.json"))
			require.NoError(t, err)
			back, err := model.ParseConfig(written)
			require.NoError(t, err)
			back.Structure = nil
			plain, err := back.Marshal()
			require.NoError(t, err)
			assert.JSONEq(t, strings.ReplaceAll(text, "bfloat16", want), string(plain))
		}
	}
}

// A file of weights, where a checkpoint's folder is asked for, and a folder without a config get the same advice.
func TestCheckpointIsAFolder(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "my.safetensors")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{file, folder, filepath.Join(folder, "none")} {
		_, err := model.LoadConfig(path)
		assert.ErrorContains(t, err, "a checkpoint is a folder with config.json and model.safetensors", path)
	}
}

// What a config asks for and no forward computes is named by its key, before weights are compared.
func TestWhatIsNotComputedIsNamed(t *testing.T) {
	for want, keys := range map[string]string{
		`vision_config.hidden_act: activation "quick_gelu" is not one of gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish`: `"vision_config": {"hidden_act": "quick_gelu"}, "text_config": {"model_type": "opt"}`,
		`text_config: activation "tanh"`:                                             `"text_config": {"model_type": "opt", "activation_function": "tanh"}`,
		"text_config.layer_norm_elementwise_affine = false: norms have weights here": `"text_config": {"model_type": "opt", "layer_norm_elementwise_affine": false}`,
	} {
		_, err := model.ParseConfig([]byte(`{"model_type": "blip-2", ` + keys + `}`))
		assert.ErrorContains(t, err, want)
	}
	_, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "vision_config": {"hidden_act": "swish"}, "text_config": {"model_type": "opt"}}`))
	assert.NoError(t, err)
}
