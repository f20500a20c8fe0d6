package model

import (
	"maps"
	"slices"
)

// quantizedKey is the table in which transformers says how a checkpoint's weights are quantized.
const quantizedKey = "quantization_config"

// checkQuantized refuses a config of quantized weights. The key is not dropped in silence: transformers would take a student
// that is saved with it for quantized.
func (c *Config) checkQuantized(fault func(format string, args ...any)) {
	tables := map[string]any{"": c.raw}
	for key, part := range c.raw {
		tables[key+"."] = part
	}
	for _, place := range slices.Sorted(maps.Keys(tables)) {
		table, _ := tables[place].(map[string]any)
		how, _ := table[quantizedKey].(map[string]any)
		if len(how) == 0 {
			continue
		}
		method, ok := how["quant_method"].(string)
		if method == int8Method && (place == "" || !c.Towers() && place == "text_config.") { // where nested puts a decoder's top keys
			c.Int8 = true
			continue
		}
		if !ok {
			method = "a method that it does not name"
		}
		fault("%s%s: the weights are quantized by %.60s; dequantize first: load the checkpoint in Python, call model.dequantize() and save it, "+
			"or take the one that it was made from; where they are plain floats again, remove this key", place, quantizedKey, method)
	}
}
