package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

func call(args ...string) (status int, out, faults string) {
	var o, e bytes.Buffer
	status = command(args, &o, &e)
	return status, o.String(), e.String()
}

// The command's outputs and greedy ids are transformers' own.
func TestForward(t *testing.T) {
	for _, name := range modeltest.Hub {
		torchtest.Run(t, func(*torch.Scope) {
			folder := modeltest.Folder(name)
			to := filepath.Join(t.TempDir(), "out.safetensors")
			want, err := checkpoint.ReadSafeTensors(filepath.Join(folder, "io.safetensors"), torch.CPU)
			require.NoError(t, err)
			defer free(want)
			tokens := 8
			status, _, faults := call("forward", "-m", folder, "-in", filepath.Join(folder, "io.safetensors"), "-out", to, "-device", "cpu", "-max-new-tokens", "8")
			require.Zero(t, status, faults)
			got, err := checkpoint.ReadSafeTensors(to, torch.CPU)
			require.NoError(t, err)
			defer free(got)
			truth := modeltest.ReadTruth(t, folder, "exact", "outputs")
			for _, n := range []string{"vision_last_hidden", "qformer_output", "language_projection"} {
				truth.Check(t, n, got[n])
			}
			truth.Sure(t, truth.Values["generate_margins"].Floats())
			require.Equal(t, want["logits"].Shape(), got["logits"].Shape())
			ids := torch.Values[int64](got["generate_ids"])
			require.Equal(t, torch.Values[int64](want["generate_ids"]), ids)
			require.Equal(t, want["generate_ids"].Shape(), got["generate_ids"].Shape())
			require.Greater(t, len(ids), tokens)
		})
	}
}

func TestInspect(t *testing.T) {
	torchtest.Setup(t)
	status, out, faults := call("inspect", modeltest.Folder("blip2_t5"))
	require.Zero(t, status, faults)
	for _, want := range []string{"BLIP-2 with T5", "language_model.decoder.block.*.cross_heads", "float32", "transformers can express"} {
		assert.Contains(t, out, want)
	}
}

func TestRandomAndCompare(t *testing.T) {
	torchtest.Setup(t)
	config, inputs := filepath.Join(modeltest.Folder("blip2_opt"), "config.json"), filepath.Join(modeltest.Folder("blip2_opt"), "io.safetensors")
	folders := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	for _, f := range folders {
		status, _, faults := call("random", "-config", config, "-out", f, "-seed", "3")
		require.Zero(t, status, faults)
	}
	one, err := os.ReadFile(filepath.Join(folders[0], checkpoint.SingleFile))
	require.NoError(t, err)
	two, err := os.ReadFile(filepath.Join(folders[1], checkpoint.SingleFile))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(one, two), "the same seed, the same bytes")
	status, out, faults := call("compare", "-in", inputs, "-device", "cpu", folders[0], folders[1])
	require.Zero(t, status, faults)
	assert.Regexp(t, `logits +\[2 10 64\] +[0-9.]+ +0 +0`, out)
	status, _, faults = call("random", "-config", config, "-out", folders[0])
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, "holds a checkpoint already")
}

// A try that cannot be finished leaves nothing, so that the next one is not refused.
func TestRandomChecksBeforeItWrites(t *testing.T) {
	torchtest.Setup(t)
	config, to := filepath.Join(modeltest.Folder("blip2_opt"), "config.json"), filepath.Join(t.TempDir(), "out")
	nothing := t.TempDir()
	status, _, faults := call("random", "-config", config, "-tokenizer", nothing, "-out", to)
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, "model random: "+nothing+" has no tokenizer.json; name the folder of a tokenizer, or leave -tokenizer out")
	assert.NoDirExists(t, to)
	status, _, faults = call("random", "-config", config, "-out", to)
	assert.Zero(t, status, faults)
}

func TestFaults(t *testing.T) {
	torchtest.Setup(t)
	for want, args := range map[string][]string{
		`there is no "fly"`:                {"fly"},
		"name one checkpoint folder":       {"inspect"},
		"-m, -in and -out are needed":      {"forward", "-m", "x"},
		"no such file":                     {"inspect", "nowhere"},
		"two checkpoint folders":           {"compare", "-in", "x", "one"},
		`-dtype "int4" is not`:             {"random", "-config", "x", "-out", "y", "-dtype", "int4"},
		"either -question, with -image":    {"generate", "-m", "x"},
		"-m and -out are needed":           {"export", "-m", "x"},
		`-format "onnx" is not torch`:      {"export", "-m", "x", "-out", "y", "-format", "onnx"},
		"flag provided but not defined: -": {"inspect", "-zzz"},
	} {
		status, _, faults := call(args...)
		assert.Equal(t, 2, status, args)
		assert.Contains(t, faults, want)
	}
}
