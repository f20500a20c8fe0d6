package main

import (
	"fmt"
	"os"
	"path/filepath"
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

// A checkpoint goes through every format, and through LAVIS's names and back, and is the same network, byte for byte.
func TestConvertThroughAllFormats(t *testing.T) {
	torchtest.Setup(t)
	folder, to := modeltest.Folder("blip2_opt"), t.TempDir()
	config := filepath.Join(folder, "config.json")
	at := folder
	for _, name := range []string{"a.safetensors", "b.pt", "c.gob", "d.bin"} {
		next := filepath.Join(to, name)
		status, out, faults := call("convert", "-out", next, at)
		require.Zero(t, status, faults)
		require.Contains(t, out, "tensors")
		at = next
	}
	status, _, faults := call("convert", "-out", filepath.Join(to, "lavis.pth"), "-names", "lavis-opt", "-reverse", at)
	require.Zero(t, status, faults)
	back := filepath.Join(to, "back")
	status, _, faults = call("convert", "-out", back, "-names", "lavis-opt", "-config", config, filepath.Join(to, "lavis.pth"))
	require.Zero(t, status, faults)
	was, err := checkpoint.OpenFolder(folder)
	require.NoError(t, err)
	defer was.Close()
	straight := filepath.Join(to, "straight")
	status, _, faults = call("convert", "-out", straight, "-config", config, at)
	require.Zero(t, status, faults)
	for _, f := range []string{straight, back} {
		is, err := checkpoint.OpenFolder(f)
		require.NoError(t, err)
		defer is.Close()
		require.Equal(t, was.Names(), is.Names())
		for _, n := range was.Names() {
			if f == straight || n != "vision_model.encoder.layers.0.self_attn.qkv.bias" && n != "vision_model.encoder.layers.1.self_attn.qkv.bias" {
				assert.Equal(t, was.Bytes(n), is.Bytes(n), n) // LAVIS has no place for the bias of keys
			}
		}
		m, err := model.Load(f, torch.CPU)
		require.NoError(t, err)
		m.Store().Free()
	}
}

// An OPT that was published without the "model." before its names is read alone, and as LAVIS's language model.
func TestConvertDecodersWithoutModel(t *testing.T) {
	torchtest.Setup(t)
	for _, c := range []struct {
		fixture, shorten string
		before, after    []string
	}{
		{"decoder_opt", "model.", nil, nil},
		{"blip2_opt", "opt_model.model.", []string{"-names", "lavis-opt", "-reverse"}, []string{"-names", "lavis-opt"}},
	} {
		folder, to := modeltest.Folder(c.fixture), t.TempDir()
		theirs, back := filepath.Join(to, checkpoint.SingleFile), filepath.Join(to, "back")
		status, _, faults := call(append(append([]string{"convert", "-out", theirs}, c.before...), folder)...)
		require.Zero(t, status, faults)
		changed(t, to, func(n string) []string { return []string{strings.TrimPrefix(n, c.shorten)} }, nil)
		status, _, faults = call(append(append([]string{"convert", "-out", back, "-config", filepath.Join(folder, "config.json")}, c.after...), theirs)...)
		require.Zero(t, status, faults)
		was, err := checkpoint.OpenFolder(folder)
		require.NoError(t, err)
		defer was.Close()
		is, err := checkpoint.OpenFolder(back)
		require.NoError(t, err)
		defer is.Close()
		require.Equal(t, was.Names(), is.Names())
		for _, n := range was.Names() {
			if !strings.HasSuffix(n, "qkv.bias") { // LAVIS has no place for the bias of keys
				assert.Equal(t, was.Bytes(n), is.Bytes(n), n)
			}
		}
	}
}

// The dtype is written, in the config too; a folder of pytorch_model.bin is a checkpoint.
func TestConvertDType(t *testing.T) {
	torchtest.Setup(t)
	folder := filepath.Join(t.TempDir(), "half")
	status, _, faults := call("convert", "-out", folder, "-dtype", "bfloat16", modeltest.Folder("blip2_t5"))
	require.Zero(t, status, faults)
	bin := filepath.Join(folder, "pytorch_model.bin")
	status, _, faults = call("convert", "-out", bin, folder)
	require.Zero(t, status, faults)
	require.NoError(t, os.Remove(filepath.Join(folder, "model.safetensors")))
	m, err := model.Load(folder, torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	assert.Equal(t, torch.BFloat16, m.Store().Params()[0].Value.DType())
	assert.Equal(t, "bfloat16", m.Config().DType)
	status, out, faults := call("inspect", bin)
	require.Zero(t, status, faults)
	assert.Contains(t, out, "vision_model.encoder.layers.*.layer_norm1.weight")
}

// An int8 student becomes plain float32, which every program reads; inspect shows what its file takes.
func TestConvertInt8(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.Family(t, "blip2_opt")
	held, err := model.Stored(m, model.DtypesOf(m).All(torch.Int8))
	require.NoError(t, err)
	defer held.Store().Free()
	from, to := filepath.Join(t.TempDir(), "int8"), filepath.Join(t.TempDir(), "plain")
	require.NoError(t, held.Save(from))
	status, out, faults := call("inspect", from)
	require.Zero(t, status, faults)
	assert.Contains(t, out, "float32, int8")
	assert.Contains(t, out, fmt.Sprintf("%.2f", float64(held.Store().Bytes())/1e6))
	for _, args := range [][]string{{"-out", to, from}, {"-out", to, "-dtype", "float32", from}} {
		status, _, faults = call(append([]string{"convert"}, args...)...)
		require.Zero(t, status, faults)
		plain, err := model.Load(to, torch.CPU)
		require.NoError(t, err)
		for i, p := range plain.Store().Params() {
			assert.False(t, p.Int8)
			assert.Equal(t, torch.Values[float32](held.Store().Params()[i].T()), torch.Values[float32](p.T()), p.Name)
		}
		plain.Store().Free()
		require.NoError(t, os.RemoveAll(to))
	}
}

// What does not fit the network is refused before anything is written, with the nearest names.
func TestConvertFaults(t *testing.T) {
	torchtest.Setup(t)
	folder, to := modeltest.Folder("blip2_opt"), t.TempDir()
	config, theirs := filepath.Join(folder, "config.json"), filepath.Join(to, "theirs.pt")
	status, _, faults := call("convert", "-out", theirs, "-names", "lavis-opt", "-reverse", folder)
	require.Zero(t, status, faults)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"(ln_vision.weight [32] is nearest)", []string{"-out", filepath.Join(to, "x"), "-config", config, theirs}},
		{"is no file, nor one of lavis", []string{"-out", filepath.Join(to, "x"), "-names", "lavish", theirs}},
		{"a folder needs the network's -config", []string{"-out", filepath.Join(to, "x"), theirs}},
		{"holds a checkpoint already", []string{"-out", folder, "-config", config, folder}},
		{`-dtype "int4"`, []string{"-out", filepath.Join(to, "x.pt"), "-dtype", "int4", theirs}},
		{`-format "onnx"`, []string{"-out", filepath.Join(to, "x"), "-format", "onnx", theirs}},
		{"-out and the checkpoints to read", []string{theirs}},
		{"no such file", []string{"-out", filepath.Join(to, "x.pt"), "nowhere.pt"}},
	} {
		status, _, faults := call(append([]string{"convert"}, c.args...)...)
		assert.Equal(t, 2, status, c.args)
		assert.Contains(t, faults, c.want)
	}
	assert.NoDirExists(t, filepath.Join(to, "x"))
}
