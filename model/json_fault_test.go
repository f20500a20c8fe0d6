package model

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestJSONFaults(t *testing.T) {
	for text, want := range map[string]string{
		``:          "the file is empty",
		`{"a": 1`:   "the JSON ends too early",
		"{\n\n<}":   "line 3: malformed JSON",
		"\n<html>":  "line 2: malformed JSON",
		`[1]`:       "it holds a JSON array, want an object",
		`{"a": [1`:  "the JSON ends too early",
		`{"a": NaN`: "line 1: malformed JSON",
	} {
		_, err := ParseConfig([]byte(text))
		assert.ErrorContains(t, err, want, text)
		err = new(Preprocessor).parse([]byte(text))
		assert.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		`{"text_config": {"model_type": "opt", "eos_token_id": "2"}}`:                                        "text_config.eos_token_id is a JSON string, want a whole number",
		`{"text_config": {"model_type": "opt", "eos_token_id": []}}`:                                         "text_config.eos_token_id is a JSON array, want a whole number",
		`{"text_config": {"model_type": "opt"}, "vision_config": {"layer_norm_eps": "1e-6"}}`:                "vision_config.layer_norm_eps is a JSON string, want a number",
		`{"text_config": {"model_type": "opt"}, "vision_config": {"hidden_size": 2.5}}`:                      "vision_config.hidden_size is a JSON number 2.5, want a whole number",
		`{"text_config": {"model_type": "opt"}, "vision_config": {"hidden_size": 100000000000000000000000}}`: "vision_config.hidden_size is a JSON number 100000000000000000000000, want a whole number",
	} {
		_, err := ParseConfig([]byte(text))
		assert.ErrorContains(t, err, want, text)
	}
}

func TestConfigOfTooManyLayers(t *testing.T) {
	c := &Config{}
	c.Vision.Layers, c.QFormer.Layers, c.Text.Layers, c.Text.DecoderLayers = 2, 2, 2, 2
	assert.NoError(t, c.checkLayers(113))
	for _, n := range []*int{&c.Vision.Layers, &c.QFormer.Layers, &c.Text.Layers, &c.Text.DecoderLayers} {
		*n = 1_000_000
		assert.ErrorContains(t, c.checkLayers(113), "is 1000000, but the weights are only 113 tensors")
		*n = 2
	}
}
