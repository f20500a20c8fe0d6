package names_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/model/names"
	"espalier/torch"
	"espalier/torch/checkpoint"
)

// described is a checkpoint of which only names and dtypes are known.
type described struct {
	checkpoint.Tensors
	names []string
	dtype torch.DType
}

func (d described) Names() []string { return d.names }

func (d described) Info(name string) (checkpoint.Info, bool) {
	return checkpoint.Info{Name: name, DType: d.dtype}, true
}

// Names as the programs write them, beside a plain one.
func TestForeign(t *testing.T) {
	const layer = "language_model.model.decoder.layers.0.self_attn.q_proj"
	for _, c := range []struct {
		want string
		left []string // of the layer, or whole names
	}{
		{"LoRA layers", []string{".base_layer.weight", ".lora_A.default.weight", ".lora_B.default.weight"}},
		{"LoRA layers", []string{".base_layer.weight"}}, // the adapter itself was left out
		{"LoRA layers", []string{".lora_A.default.weight", ".weight"}},
		{"LoRA layers", []string{".weight", ".lora_magnitude_vector.default.weight"}},
		{"LoRA layers", []string{".lora_A", ".lora_B", ".weight"}},
		{"LoRA layers", []string{".modules_to_save.default.weight", ".original_module.weight"}},
		{"LoRA layers", []string{".ia3_l.default"}},
		{"LoRA layers", []string{"base_model.model." + layer + ".lora_A.weight"}},
		{"LoRA layers", []string{"lora_A.weight"}},
		{"that PEFT wraps", []string{"base_model.model." + layer + ".weight"}},
		{"that PEFT wraps", []string{"module.base_model.model." + layer + ".weight"}},
		{"bitsandbytes' 8-bit", []string{".weight", ".SCB", ".weight_format"}},
		{"bitsandbytes' 4-bit", []string{".weight", ".weight.absmax", ".weight.quant_map", ".weight.nested_absmax", ".weight.quant_state.bitsandbytes__nf4"}},
		{"bitsandbytes' 4-bit", []string{".weight.quant_state.bitsandbytes__fp4"}},
		{"by GPTQ", []string{".qweight", ".qzeros", ".scales", ".g_idx"}},
		{"by AWQ or GPTQ", []string{".qweight", ".qzeros", ".scales"}},
		{"by HQQ", []string{".W_q", ".scale", ".zero"}},
		{"by quanto", []string{".weight._data", ".weight._scale"}},
		{"by AQLM", []string{".codes", ".codebooks", ".scales"}},
		{"as compressed-tensors keeps", []string{".weight_packed", ".weight_scale", ".weight_shape"}},
		{"with their scales", []string{".weight", ".weight_scale_inv"}},
		{"with their scales", []string{".weight", ".weight_scale"}},
	} {
		all := []string{"language_model.model.decoder.final_layer_norm.weight"}
		for _, n := range c.left {
			if n[0] == '.' {
				n = layer + n
			}
			all = append(all, n)
		}
		err := names.Foreign(described{names: all, dtype: torch.Float32})
		require.ErrorContains(t, err, c.want, c.left)
		if strings.Contains(c.want, "LoRA") || strings.Contains(c.want, "PEFT") {
			assert.ErrorContains(t, err, "merge them first, then save: model.merge_and_unload()")
		} else {
			assert.ErrorContains(t, err, "dequantize first")
		}
	}
	err := names.Foreign(described{names: []string{"a.weight"}, dtype: 24})
	require.ErrorContains(t, err, "these are float8 weights (a.weight): dequantize first")
}

// Networks as transformers and LAVIS call them hold nothing of that kind.
func TestPlainWeights(t *testing.T) {
	for _, family := range modeltest.Families {
		m := modeltest.Family(t, family)
		source := checkpoint.Tensors(m.Store().Named())
		require.NoError(t, names.Foreign(source), family)
		for _, name := range names.Known() {
			known, err := names.Open(name)
			require.NoError(t, err)
			if theirs, err := known.Reverse().Over(source); err == nil {
				require.NoError(t, names.Foreign(theirs), name)
			}
		}
	}
	assert.NoError(t, names.Foreign(described{names: []string{"flora.weight", "explore_A.weight", "scales", "a.weights", "base_model.weight"}}))
}

// However many there are and however long their names, the message stays a few lines.
func TestForeignIsShort(t *testing.T) {
	var all []string
	for i := range 20000 {
		all = append(all, fmt.Sprintf("%slayers.%d.lora_A.weight", strings.Repeat("very_long.", 300), i))
	}
	err := names.Foreign(described{names: all})
	require.ErrorContains(t, err, "and 19999 more")
	assert.Less(t, len(err.Error()), 500)
}

func TestAdapter(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, names.Adapter(folder))
	require.NoError(t, names.Adapter(filepath.Join(folder, "nowhere")))
	path := filepath.Join(folder, "adapter_config.json")
	for text, want := range map[string]string{
		`{"peft_type": "LORA", "base_model_name_or_path": "Salesforce/blip2-opt-2.7b"}`: `an adapter (LORA) for "Salesforce/blip2-opt-2.7b", not a whole model`,
		"\xef\xbb\xbf{}": "an adapter for another checkpoint", `{"base_model_name_or_path": null}`: "an adapter for another checkpoint", "[": "unexpected end",
		`{"base_model_name_or_path": "` + strings.Repeat("x", 5000) + `"}`: "merge_and_unload()",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		err := names.Adapter(folder)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
		assert.Less(t, len(err.Error()), len(path)+900)
	}
	require.NoError(t, names.Adapter(path), "of a file there is no folder")
}
