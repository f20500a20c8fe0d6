package model

import (
	"errors"

	"espalier/torch"
	"espalier/torch/checkpoint"
)

// int8Method is what the config of an int8 checkpoint of this program says of its weights, under transformers' key: transformers, which
// would take the integers for the weights, refuses a method that it does not know.
const int8Method = "espalier_int8"

var errInt8 = errors.New("its weights are int8 in a form of this program's; `model convert -out FOLDER` writes them as float32")

// tellInt8 writes how the weights are held into the config's table.
func (c *Config) tellInt8(table map[string]any) {
	if c.Int8 {
		table[quantizedKey] = map[string]any{"quant_method": int8Method, "bits": 8, "scales": "one float32 for each row, in NAME" + checkpoint.ScaleSuffix}
	} else if how, _ := table[quantizedKey].(map[string]any); how["quant_method"] == int8Method {
		delete(table, quantizedKey)
	}
}

// wholeNumbers puts integers and scales in the place of the weights that are held as int8, and tells whether there are any.
func (m *Blip2) wholeNumbers(values map[string]*torch.Tensor) (any bool) {
	for _, p := range m.store.Params() {
		if value := values[p.Name]; p.Int8 && value != nil {
			values[p.Name], values[p.Name+checkpoint.ScaleSuffix] = value.ToInt8()
			any = true
		}
	}
	return any
}
