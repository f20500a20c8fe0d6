package checkpoint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// expected are the tensors of testdata/make_pt.py's files as PyTorch reads them, by file and name.
func expected(t testing.TB) map[string]map[string]*torch.Tensor {
	all, err := checkpoint.ReadSafeTensors("testdata/expected.safetensors", torch.CPU)
	require.NoError(t, err)
	files := map[string]map[string]*torch.Tensor{}
	for key, x := range all {
		file, name, _ := strings.Cut(key, "|")
		if files[file] == nil {
			files[file] = map[string]*torch.Tensor{}
		}
		files[file][name] = x
	}
	return files
}

// requireSame compares a source with tensors to the last bit, through each of its methods.
func requireSame(t *testing.T, want map[string]*torch.Tensor, s checkpoint.Source, only ...string) {
	t.Helper()
	names := only
	if len(only) == 0 {
		names = s.Names()
		require.Len(t, names, len(want), "%v", names)
	}
	for _, name := range names {
		x := want[name]
		require.NotNil(t, x, name)
		info, ok := s.Info(name)
		require.True(t, ok)
		require.Equal(t, checkpoint.Info{Name: name, DType: x.DType(), Shape: x.Shape(), Bytes: int64(x.Bytes())}, info)
		require.Equal(t, string(x.Raw()), string(s.Bytes(name)), name)
		for range 2 { // the pages come back
			got, err := s.Load(name, torch.CPU)
			require.NoError(t, err)
			require.Equal(t, x.DType(), got.DType(), name)
			require.Equal(t, x.Shape(), got.Shape(), name)
			require.Equal(t, x.Raw(), got.Raw(), name)
		}
	}
}

// fixtures are the files of make_pt.py, with the key that finds what expected.safetensors has, and the format's name.
var fixtures = map[string]struct{ key, format string }{
	"state.pt":            {"", "PyTorch state dict (zip)"},
	"state_legacy.pt":     {"", "PyTorch state dict (legacy)"},
	"protocol4.pt":        {"", "PyTorch state dict (zip)"},
	"protocol5_legacy.pt": {"", "PyTorch state dict (legacy)"},
	"repacked.pt":         {"", "PyTorch state dict (zip)"},
	"training.pt":         {"", `PyTorch checkpoint (zip), "model"`},
	"training_legacy.pt":  {"model", `PyTorch checkpoint (legacy), "model"`},
	"two_models.pt":       {".", "PyTorch checkpoint (zip)"},
	"list.pt":             {"", "PyTorch checkpoint (zip)"},
	"tensor.pt":           {"", "PyTorch checkpoint (zip)"},
	"script.pt":           {"", "TorchScript archive"},
	"trace.pt":            {"", "TorchScript archive"},
	"cpp_module.pt":       {"", "libtorch archive (torch::save)"},
	"cpp_tensor.pt":       {"", "libtorch archive (torch::save)"},
	"cpp_tensors.pt":      {"", "libtorch archive (torch::save)"},
}

func TestOpenReadsWhatPyTorchWrites(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		want := expected(t)
		for file, f := range fixtures {
			t.Run(file, func(t *testing.T) {
				s, err := checkpoint.Open(filepath.Join("testdata", file), f.key)
				require.NoError(t, err)
				defer s.Close()
				require.Equal(t, f.format, s.Format())
				requireSame(t, want[file], s)
				_, ok := s.Info("nothing")
				require.False(t, ok)
				require.Nil(t, s.Bytes("nothing"))
				_, err = s.Load("nothing", torch.CPU)
				require.ErrorContains(t, err, file+`: no tensor "nothing"`)
				name := s.Names()[0]
				require.NoError(t, s.Close())
				require.NoError(t, s.Close())
				_, err = s.Load(name, torch.CPU)
				require.ErrorContains(t, err, "the file is closed")
			})
		}
	})
}

func TestOpenChoosesThePart(t *testing.T) {
	path := func(file string) string { return filepath.Join("testdata", file) }
	_, err := checkpoint.Open(path("two_models.pt"), "")
	require.EqualError(t, err, path("two_models.pt")+`: the checkpoint is nested: choose a key: "state/model" (1 tensors), `+
		`"state/ema" (2 tensors); or "." for all of it`)
	_, err = checkpoint.Open(path("two_models.pt"), "state/module")
	require.ErrorContains(t, err, `no key "state/module": the keys are "model" (1 tensors), "ema" (2 tensors)`)
	_, err = checkpoint.Open(path("training.pt"), "epoch")
	require.ErrorContains(t, err, "no tensors: there is a number")
	_, err = checkpoint.Open("testdata/expected.safetensors", "model")
	require.ErrorContains(t, err, "this format has no nested parts")

	names := func(file, key string) []string {
		s, err := checkpoint.Open(path(file), key)
		require.NoError(t, err)
		defer s.Close()
		return s.Names()
	}
	require.Equal(t, []string{"b", "w"}, names("two_models.pt", "state/ema"))
	require.Equal(t, []string{"ema.b", "ema.w", "model.w"}, names("two_models.pt", "state"))
	require.Equal(t, []string{"state.0.exp_avg", "state.0.exp_avg_sq", "state.0.step", "state.1.exp_avg", "state.1.exp_avg_sq", "state.1.step"},
		names("training.pt", "optimizer"))
	require.Equal(t, []string{"bias", "num_batches_tracked", "running_mean", "running_var", "weight"}, names("script.pt", "norms/0"))
	require.Contains(t, names("cpp_adam.pt", "."), "param_groups.param_groups/0.params/size")
	require.Len(t, names("cpp_adam.pt", ""), 10)
}

func TestOpenListsTypesThatItCannotLoad(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		s, err := checkpoint.Open("testdata/unusual.pt", "")
		require.NoError(t, err)
		defer s.Close()
		require.Len(t, s.Names(), 9)
		requireSame(t, expected(t)["unusual.pt"], s, "plain")
		for name, reason := range map[string]string{
			"complex": "a tensor of complex64", "uint16": "a tensor of uint16", "float8": "a tensor of float8_e4m3fn",
			"sparse": "a sparse tensor", "quantized": "a quantized tensor", "meta": "a tensor without data", "conjugate": "conjugate",
			"power": "a tensor of torch.float8_e8m0fnu",
		} {
			_, ok := s.Info(name)
			require.True(t, ok)
			require.Nil(t, s.Bytes(name))
			_, err := s.Load(name, torch.CPU)
			require.ErrorContains(t, err, `tensor "`+name+`" is `)
			require.ErrorContains(t, err, reason)
		}
	})
}

func TestOpenFoldersOfOldFiles(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		want := expected(t)
		folder := t.TempDir()
		link := func(from, to string) {
			from, err := filepath.Abs(filepath.Join("testdata", from))
			require.NoError(t, err)
			require.NoError(t, os.Symlink(from, filepath.Join(folder, to)))
		}
		link("state_legacy.pt", "pytorch_model.bin")
		s, err := checkpoint.Open(folder, "")
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, "PyTorch state dict (legacy)", s.Format())
		requireSame(t, want["state_legacy.pt"], s)

		require.NoError(t, os.Remove(filepath.Join(folder, "pytorch_model.bin")))
		link("training.pt", "pytorch_model-00001-of-00002.bin")
		link("cpp_tensor.pt", "pytorch_model-00002-of-00002.bin")
		index := `{"weight_map": {"weight": "pytorch_model-00001-of-00002.bin", "bias": "pytorch_model-00001-of-00002.bin", "0": "pytorch_model-00002-of-00002.bin"}}`
		require.NoError(t, os.WriteFile(filepath.Join(folder, "pytorch_model.bin.index.json"), []byte(index), 0o644))
		s, err = checkpoint.Open(folder, "")
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, []string{"0", "bias", "weight"}, s.Names())
		requireSame(t, want["training.pt"], s, "weight", "bias")
		requireSame(t, want["cpp_tensor.pt"], s, "0")
		_, err = checkpoint.Open(t.TempDir(), "")
		require.ErrorContains(t, err, "or pytorch_model.bin")
	})
}

func TestOpenSaysWhatElseAFileIs(t *testing.T) {
	for content, message := range map[string]string{
		"": "is the download complete?", "version https://git-lfs.github.com/spec/v1\n": "git lfs pull", "\n<html>": "a web page",
		"\x89HDF\r\n": "HDF5", "hello": "starts with 68 65 6c 6c 6f", strings.Repeat("\x00", 257) + "ustar": "a tar archive",
	} {
		_, err := checkpoint.Open(write(t, []byte(content)), "")
		require.ErrorContains(t, err, message)
	}
	_, err := checkpoint.Open("/dev/null", "")
	require.ErrorContains(t, err, "it is a device, not a regular file")
	_, err = checkpoint.Open("nowhere", "")
	require.ErrorIs(t, err, os.ErrNotExist)
}
