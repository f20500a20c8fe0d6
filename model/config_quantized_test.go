package model_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
)

// A config of quantized weights says so, whatever the method and wherever the table stands; one that is empty says nothing.
func TestQuantizedConfigs(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(modeltest.Folder("blip2_opt"), "config.json"))
	require.NoError(t, err)
	top := func(table string) string {
		return strings.Replace(string(data), "{", `{"quantization_config": `+table+`, `, 1)
	}
	text := strings.Replace(string(data), `"text_config": {`, `"text_config": {"quantization_config": {"quant_method": "awq"}, `, 1)
	for config, want := range map[string]string{
		top(`{"quant_method": "bitsandbytes", "load_in_8bit": true}`):  "quantization_config: the weights are quantized by bitsandbytes; dequantize first",
		top(`{"quant_method": "fp8"}`):                                 "quantized by fp8",
		top(`{"load_in_4bit": true}`):                                  "quantized by a method that it does not name",
		top(`{"quant_method": "` + strings.Repeat("gptq", 999) + `"}`): "quantized by gptqgptq",
		text: "text_config.quantization_config: the weights are quantized by awq",
	} {
		_, err := model.ParseConfig([]byte(config))
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "remove this key")
		assert.Less(t, len(err.Error()), 400)
	}
	for _, config := range []string{top("{}"), top("null")} {
		_, err := model.ParseConfig([]byte(config))
		assert.NoError(t, err)
	}
}
