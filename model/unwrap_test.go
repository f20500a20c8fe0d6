package model_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// rewritten copies a fixture's folder with its tensors under other names.
func rewritten(t *testing.T, fixture string, to func(name string) []string) string {
	t.Helper()
	folder := t.TempDir()
	config, err := os.ReadFile(filepath.Join(modeltest.Folder(fixture), "config.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), config, 0o600))
	values, err := checkpoint.ReadSafeTensors(filepath.Join(modeltest.Folder(fixture), checkpoint.SingleFile), torch.CPU)
	require.NoError(t, err)
	named := map[string]*torch.Tensor{}
	for name, v := range values {
		for _, n := range to(name) {
			named[n] = v
		}
	}
	require.NoError(t, checkpoint.WriteSafeTensors(filepath.Join(folder, checkpoint.SingleFile), named, nil))
	for _, v := range values {
		v.Free()
	}
	return folder
}

// Whatever wrapper a network was saved in, it is the same network, and the note says what was taken off.
func TestWrappedNetworksAreUnwrapped(t *testing.T) {
	torchtest.Setup(t)
	for fixture, name := range map[string]string{"blip2_opt": "language_model.", "blip2_t5": "vision_model.", "instructblip_t5": "qformer."} {
		want, err := model.Load(modeltest.Folder(fixture), torch.CPU)
		require.NoError(t, err)
		defer want.Store().Free()
		require.Empty(t, want.Notes())
		for note, to := range map[string]func(string) string{
			`"module." is taken off the tensors' names`:      func(n string) string { return "module." + n },
			`"model." is taken off`:                          func(n string) string { return "model." + n },
			`"_orig_mod.module." is taken off`:               func(n string) string { return "_orig_mod.module." + n },
			`"model._orig_mod." is taken off`:                func(n string) string { return "model._orig_mod." + n },
			`"blip.net." is taken off`:                       func(n string) string { return "blip.net." + n },
			`"1." is taken off`:                              func(n string) string { return "1." + n },
			": _orig_mod of PyTorch's wrappers is taken out": func(n string) string { return strings.Replace(n, name, name+"_orig_mod.", 1) },
			`"_fsdp_wrapped_module." is taken off`: func(n string) string {
				return "_fsdp_wrapped_module." + strings.Replace(n, "layers.", "layers._fsdp_wrapped_module.", 1)
			},
			`"language_model." is taken off the tensor`: func(n string) string { return "language_model." + n }, // a part's own name
		} {
			folder := rewritten(t, fixture, func(n string) []string { return []string{to(n)} })
			got, err := model.Load(folder, torch.CPU)
			require.NoError(t, err, note)
			defer got.Store().Free()
			require.Len(t, got.Notes(), 1)
			assert.Contains(t, got.Notes()[0], note)
			assert.True(t, strings.HasPrefix(got.Notes()[0], folder+": "))
			for i, p := range want.Store().Params() {
				assert.Equal(t, torch.Values[float32](p.Value), torch.Values[float32](got.Store().Params()[i].Value), p.Name)
			}
		}
	}
}

// A decoder alone is known by its token embeddings, also where it was saved without the "model." before its names.
func TestWrappedDecodersAreUnwrapped(t *testing.T) {
	torchtest.Setup(t)
	for _, fixture := range modeltest.Decoders {
		want := modeltest.Family(t, fixture)
		require.Empty(t, want.Notes())
		short := func(n string) string { return strings.TrimPrefix(n, "model.") }
		const put = `"model.", which they lack, is put before the tensors' names`
		for note, to := range map[string]func(string) string{
			`: "module." is taken off the tensors' names`:    func(n string) string { return "module." + n },
			`: "model." is taken off the tensors' names`:     func(n string) string { return "model." + n },
			`: "language_model." is taken off`:               func(n string) string { return "language_model." + n },
			": _orig_mod of PyTorch's wrappers is taken out": func(n string) string { return strings.Replace(n, "model.", "model._orig_mod.", 1) },
			": " + put: short,
			`: "_orig_mod." is taken off the tensors' names; ` + put: func(n string) string { return "_orig_mod." + short(n) },
			`: "module." is taken off the tensors' names; ` + put:    func(n string) string { return "module." + short(n) },
		} {
			got, err := model.Load(rewritten(t, fixture, func(n string) []string { return []string{to(n)} }), torch.CPU)
			require.NoError(t, err, note)
			defer got.Store().Free()
			require.Len(t, got.Notes(), 1)
			assert.Contains(t, got.Notes()[0], note)
			for i, p := range want.Store().Params() {
				assert.Equal(t, torch.Values[float32](p.Value), torch.Values[float32](got.Store().Params()[i].Value), p.Name)
			}
		}
		_, err := model.Load(rewritten(t, fixture, func(n string) []string { return []string{"a." + n, "b." + n} }), torch.CPU)
		assert.ErrorContains(t, err, `there are 2 networks, whose names begin with "a.", "b."`)
	}
}

// What cannot be told for sure is refused, in a screen.
func TestWrappedNetworksThatAreNotClear(t *testing.T) {
	torchtest.Setup(t)
	some := func(n string) bool { return strings.HasPrefix(n, "vision_model") }
	for want, to := range map[string]func(string) []string{
		"there are 2 networks, whose names begin with \"ema.\", \"model.\": choose one": func(n string) []string { return []string{"model." + n, "ema." + n} },
		"unexpected ema.language_model":            func(n string) []string { return []string{n, "ema." + n} },
		"unexpected module.language_model":         func(n string) []string { return []string{n, "module." + n} },
		"unexpected model.vision_model.embeddings": func(n string) []string { return map[bool][]string{true: {"model." + n}, false: {n}}[some(n)] },
		"unexpected vision_model_too": func(n string) []string {
			return []string{"model." + n, strings.Replace(n, "vision_model", "vision_model_too", 1)}[:map[bool]int{true: 2, false: 1}[some(n)]]
		},
		"missing vision_model.embeddings": func(n string) []string { return []string{"model." + n}[:map[bool]int{true: 0, false: 1}[some(n)]] },
		"these are LoRA layers":           func(n string) []string { return []string{"module." + strings.Replace(n, "fc1.", "fc1.base_layer.", 1)} },
		"there are 40 networks, whose names begin with \"net0.\", \"net1.\"": func(n string) (all []string) {
			for i := range 40 {
				all = append(all, fmt.Sprintf("net%d.%s", i, n))
			}
			return all
		},
	} {
		folder := rewritten(t, "blip2_opt", to)
		_, err := model.Load(folder, torch.CPU)
		require.ErrorContains(t, err, want)
		assert.Contains(t, err.Error(), folder)
		if strings.Contains(want, "missing") {
			assert.Contains(t, err.Error(), "\n(\"model.\" is taken off the tensors' names)", "the names in the list are not quite the file's")
		}
		assert.Less(t, len(err.Error()), 4000)
		assert.LessOrEqual(t, strings.Count(err.Error(), "\n"), 24)
	}
}

// Files without a network of ours, and names that would fall together, are shown as they are.
func TestUnwrapLeavesOthersAlone(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		one := torch.Zeros([]int{1}, torch.Float32, torch.CPU)
		for _, names := range [][]string{{"module.a", "module.b"}, {"query_tokens", "b"}, {"module.query_tokens", "query_tokens"}, {}, {"my_query_tokens"},
			{"module.query_tokens", "module.a", "a"}} {
			files := checkpoint.Tensors{}
			for _, n := range names {
				files[n] = one
			}
			seen, note, err := model.Unwrap(files, nil)
			require.NoError(t, err)
			assert.Empty(t, note)
			assert.Equal(t, slices.Sorted(maps.Keys(files)), seen.Names())
		}
	})
}
