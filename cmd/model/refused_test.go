package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// commands are the ways to use a checkpoint folder.
func commands(t *testing.T, folder, questions string) map[string][]string {
	to, inputs := t.TempDir(), filepath.Join(modeltest.Folder("blip2_opt"), "io.safetensors")
	return map[string][]string{
		"inspect":  {"inspect", folder},
		"forward":  {"forward", "-device", "cpu", "-m", folder, "-in", inputs, "-out", filepath.Join(to, "o.safetensors")},
		"compare":  {"compare", "-device", "cpu", "-in", inputs, modeltest.Folder("blip2_opt"), folder},
		"generate": {"generate", "-device", "cpu", "-m", folder, "-image", filepath.Join(filepath.Dir(questions), "0.png"), "-question", "color"},
		"ask":      {"generate", "-device", "cpu", "-m", folder, "-ask", questions, "-first", "1"},
		"export":   {"export", "-m", folder, "-out", filepath.Join(to, "exported")},
		"convert":  {"convert", "-out", filepath.Join(to, "converted"), folder},
	}
}

// changed writes a folder's weights again, each tensor under the names that it is given.
func changed(t *testing.T, folder string, to func(name string) []string, more checkpoint.Tensors) {
	t.Helper()
	file := filepath.Join(folder, checkpoint.SingleFile)
	values, err := checkpoint.ReadSafeTensors(file, torch.CPU)
	require.NoError(t, err)
	defer free(values)
	named := map[string]*torch.Tensor{}
	for name, v := range values {
		for _, n := range to(name) {
			named[n] = v
		}
	}
	for name, v := range more {
		named[name] = v
	}
	require.NoError(t, checkpoint.WriteSafeTensors(file, named, nil))
}

// LoRA layers and quantized weights are named by every command, whatever is asked of it; nothing is written.
func TestLoRAAndQuantizedWeightsAreRefused(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		half, ints := torch.Zeros([]int{2, 40}, torch.Float32, torch.CPU), torch.Zeros([]int{4}, torch.Int32, torch.CPU)
		const layer = "language_model.model.decoder.layers.0.self_attn.q_proj"
		based := func(n string) []string { return []string{strings.Replace(n, "q_proj.", "q_proj.base_layer.", 1)} }
		same := func(n string) []string { return []string{n} }
		for _, c := range []struct {
			want string
			to   func(string) []string
			more checkpoint.Tensors
		}{
			{"these are LoRA layers (" + layer + ".base_layer.bias", based, checkpoint.Tensors{layer + ".lora_A.default.weight": half, layer + ".lora_B.default.weight": half}},
			{"these are LoRA layers", same, checkpoint.Tensors{layer + ".lora_A.default.weight": half}},
			{"these are weights of a network that PEFT wraps", func(n string) []string { return []string{"base_model.model." + n} }, nil},
			{"quantized by GPTQ", same, checkpoint.Tensors{layer + ".qweight": ints, layer + ".g_idx": ints}},
			{"bitsandbytes' 8-bit weights", same, checkpoint.Tensors{layer + ".SCB": half}},
		} {
			folder, questions := speaking(t, "blip2_opt")
			changed(t, folder, c.to, c.more)
			for name, args := range commands(t, folder, questions) {
				status, out, faults := call(args...)
				require.Equal(t, 2, status, name)
				assert.Contains(t, faults, c.want, name)
				assert.Regexp(t, "merge them first|dequantize first", faults)
				assert.Empty(t, out)
			}
			file := filepath.Join(folder, checkpoint.SingleFile)
			status, out, faults := call("inspect", file)
			require.Zero(t, status, faults)
			assert.Contains(t, out, "tensors", "a file's tensors are still listed")

			// The ways around it would leave the network as it was before the fine-tuning.
			rules := filepath.Join(t.TempDir(), "rules.toml")
			require.NoError(t, os.WriteFile(rules, []byte("[[rule]]\nfrom = \"**.base_layer.**\"\nto = \"**.**\"\n[[rule]]\nfrom = \"**.lora_*.**\"\nto = []\n"), 0o600))
			for _, how := range [][]string{{"-drop-unused"}, {"-names", rules}, {"-names", rules, "-drop-unused"}, {"-names", "lavis-opt", "-reverse"}} {
				to := filepath.Join(t.TempDir(), "x.safetensors")
				for _, from := range []string{folder, file} {
					status, _, faults = call(append(append([]string{"convert", "-out", to, "-config", filepath.Join(folder, "config.json")}, how...), from)...)
					assert.Equal(t, 2, status, how)
					assert.Contains(t, faults, c.want, how)
					assert.NoFileExists(t, to)
				}
			}
		}
	})
}

// An adapter's folder names the checkpoint that it belongs to.
func TestAnAdaptersFolderIsRefused(t *testing.T) {
	torchtest.Setup(t)
	whole, questions := speaking(t, "blip2_opt")
	alone := t.TempDir()
	for _, folder := range []string{alone, whole} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "adapter_config.json"), []byte(`{"peft_type": "LORA", "base_model_name_or_path": "some/blip2"}`), 0o600))
		for name, args := range commands(t, folder, questions) {
			status, _, faults := call(args...)
			assert.Equal(t, 2, status, name)
			assert.Contains(t, faults, `an adapter (LORA) for "some/blip2"`, name)
			assert.Contains(t, faults, "merge_and_unload()", name)
		}
	}
}

// Names behind a wrapper's are taken for the network's by every command, with a note beside the output; also of a file and
// under other people's names.
func TestWrappedNamesAreTakenOff(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := speaking(t, "blip2_opt")
	plain := filepath.Join(t.TempDir(), "plain.safetensors")
	status, _, faults := call("convert", "-out", plain, folder)
	require.Zero(t, status, faults)
	theirs := filepath.Join(t.TempDir(), "theirs.safetensors")
	status, _, faults = call("convert", "-out", theirs, "-reverse", "-names", "lavis-opt", folder)
	require.Zero(t, status, faults)
	want := answersOf(t, "-m", folder, "-ask", questions, "-first", "3")

	changed(t, folder, func(n string) []string { return []string{"_orig_mod.module." + n} }, nil)
	const note = `"_orig_mod.module." is taken off the tensors' names`
	for name, args := range commands(t, folder, questions) {
		status, out, faults := call(args...)
		require.Zero(t, status, "%s: %s", name, faults)
		assert.Contains(t, faults, note, name)
		assert.NotContains(t, out, note, name)
	}
	assert.Equal(t, want, answersOf(t, "-m", folder, "-ask", questions, "-first", "3"))

	wrapped := filepath.Join(folder, checkpoint.SingleFile)
	lavis := filepath.Join(t.TempDir(), checkpoint.SingleFile)
	require.NoError(t, os.Rename(theirs, lavis))
	changed(t, filepath.Dir(lavis), func(n string) []string { return []string{"module." + n} }, nil)
	for _, args := range [][]string{{wrapped}, {"-names", "lavis-opt", lavis}, {"-drop-unused", wrapped}} {
		to := filepath.Join(t.TempDir(), "again.safetensors")
		status, _, faults := call(append([]string{"convert", "-out", to, "-config", filepath.Join(folder, "config.json")}, args...)...)
		require.Zero(t, status, faults)
		assert.Contains(t, faults, "is taken off the tensors' names", args)
		if len(args) < 3 { // LAVIS has no place for the bias of keys
			same(t, plain, to)
		}
	}
	own := filepath.Join(t.TempDir(), "own.toml") // is for the names as they are, then the wrapper's is taken off
	require.NoError(t, os.WriteFile(own, []byte("[[rule]]\nfrom = \"_orig_mod.**\"\nto = \"wrapped.**\"\n"), 0o600))
	for _, args := range [][]string{{"-names", own, "-config", filepath.Join(folder, "config.json")}, {"-names", "lavis-opt", "-reverse"}} {
		to := filepath.Join(t.TempDir(), "again.safetensors")
		status, _, faults := call(append(append([]string{"convert", "-out", to}, args...), wrapped)...)
		require.Zero(t, status, faults)
		assert.Contains(t, faults, "is taken off the tensors' names", args)
	}
	to := filepath.Join(t.TempDir(), "as-it-is.pt") // no network is known
	status, _, faults = call("convert", "-out", to, wrapped)
	require.Zero(t, status, faults)
	assert.Empty(t, faults)
	_, out, _ := call("inspect", to)
	assert.Contains(t, out, "_orig_mod.module.query_tokens")
}

func same(t *testing.T, a, b string) {
	t.Helper()
	one, err := os.ReadFile(a)
	require.NoError(t, err)
	two, err := os.ReadFile(b)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(one, two), "%s and %s", a, b)
}

// A preprocessor that makes other pictures than the network sees is refused by every command that has to do with pictures.
func TestAPreprocessorOfAnotherSizeIsRefused(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := speaking(t, "blip2_opt")
	file := filepath.Join(folder, "preprocessor_config.json")
	for text, want := range map[string]string{
		`{"size": 56}`: "the preprocessor makes pictures of 56 × 56, the network sees 24 × 24; correct preprocessor_config.json",
		`{"image_processor_type": "CLIPImageProcessor", "size": 24, "crop_size": 20}`: "the preprocessor makes pictures of 20 × 20",
		`{"size": 24, "do_pad": true}`:         "do_pad is true",
		`{"size": 24, "rescale_offset": true}`: "rescale_offset",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		for name, args := range commands(t, folder, questions) {
			if name == "inspect" || name == "convert" { // which make no pictures
				continue
			}
			status, _, faults := call(args...)
			assert.Equal(t, 2, status, name)
			assert.Contains(t, faults, want, name)
			assert.Contains(t, faults, "preprocessor_config.json", name)
		}
	}
	require.NoError(t, os.WriteFile(file, []byte(`{"size": 28, "do_center_crop": true, "crop_size": 24}`), 0o600))
	for name, args := range commands(t, folder, questions) {
		status, _, faults := call(args...)
		if name == "export" {
			assert.Equal(t, 2, status)
			assert.Contains(t, faults, "do_center_crop")
		} else if name == "generate" || name == "ask" {
			assert.Zero(t, status, faults)
		}
	}
	require.NoError(t, os.Remove(file)) // forward needs none
	inputs := filepath.Join(t.TempDir(), "in.safetensors")
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		return checkpoint.WriteSafeTensors(inputs, map[string]*torch.Tensor{"pixel_values": torch.Zeros([]int{1, 3, 56, 56}, torch.Float32, torch.CPU),
			"input_ids": torch.FromInts([]int{1, 2}, torch.CPU, 1, 2)}, nil)
	}))
	status, _, faults := call("forward", "-device", "cpu", "-m", folder, "-in", inputs, "-out", filepath.Join(t.TempDir(), "x"))
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, fmt.Sprintf("%s: model: forward: pixel_values are [1 3 56 56], the network sees pictures of [rows, 3, 24, 24]", inputs))
}
