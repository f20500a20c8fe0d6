package checkpoint_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// saved writes a file of one tensor x of one number.
func saved(t *testing.T, path string, value float32) {
	t.Helper()
	tensors := map[string]*torch.Tensor{"x": torch.From([]float32{value}, torch.CPU)}
	if strings.HasSuffix(path, ".bin") {
		require.NoError(t, checkpoint.CopyPT(path, checkpoint.Tensors(tensors)))
		return
	}
	require.NoError(t, checkpoint.WriteSafeTensors(path, tensors, nil))
}

func indexed(t *testing.T, path string, shards map[string]string) {
	t.Helper()
	index, err := json.Marshal(map[string]any{"weight_map": shards})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append([]byte("\xef\xbb\xbf"), index...), 0o600))
}

// Of the forms that a folder can hold, that counts which transformers takes: each file is taken as long as none before it
// in transformers' order is there.
func TestFoldersOfSeveralSaves(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		folder := t.TempDir()
		in := func(name string) string { return filepath.Join(folder, name) }
		saved(t, in("model.safetensors"), 1)
		saved(t, in("model-00001-of-00001.safetensors"), 2)
		indexed(t, in("model.safetensors.index.json"), map[string]string{"x": "model-00001-of-00001.safetensors"})
		saved(t, in("pytorch_model.bin"), 3)
		saved(t, in("pytorch_model-00001-of-00001.bin"), 4)
		indexed(t, in("pytorch_model.bin.index.json"), map[string]string{"x": "pytorch_model-00001-of-00001.bin"})
		for want, remove := range []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"} {
			s, err := checkpoint.OpenFolder(folder)
			require.NoError(t, err)
			x, err := s.Load("x", torch.CPU)
			require.NoError(t, err)
			assert.Equal(t, []float32{float32(want + 1)}, torch.Values[float32](x))
			x.Free()
			require.NoError(t, s.Close())
			require.NoError(t, os.Remove(in(remove)))
		}
		_, err := checkpoint.OpenFolder(folder)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, "or model.safetensors.index.json with its shards, or pytorch_model.bin")
	})
}

// What an index promises and is not there is named, in a line.
func TestFolderWithoutItsShards(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		folder := t.TempDir()
		index := filepath.Join(folder, "model.safetensors.index.json")
		fault := func() string {
			_, err := checkpoint.OpenFolder(folder)
			require.ErrorContains(t, err, index+": ")
			require.Less(t, len(err.Error()), len(index)+300)
			return err.Error()
		}
		saved(t, filepath.Join(folder, "b.safetensors"), 1)
		indexed(t, index, map[string]string{"x": "b.safetensors", "y": "a.safetensors"})
		assert.Contains(t, fault(), "1 of the 2 shards that it lists are not there (a.safetensors); is the download complete?")
		many := map[string]string{"x": "b.safetensors"}
		for i := range 5000 {
			many[fmt.Sprint(i)] = fmt.Sprintf("model-%05d-of-05000.safetensors", i)
		}
		indexed(t, index, many)
		assert.Contains(t, fault(), "5000 of the 5001 shards that it lists are not there (model-00000-of-05000.safetensors, "+
			"model-00001-of-05000.safetensors, model-00002-of-05000.safetensors, and 4997 more); is the download complete?")
		indexed(t, index, map[string]string{"x": strings.Repeat("../", 3000) + "b.safetensors"})
		assert.Contains(t, fault(), "is no safetensors file of the folder")
		indexed(t, index, map[string]string{"x": "b.safetensors", "y": "b.safetensors"})
		assert.Contains(t, fault(), `b.safetensors has no tensor "y"; is the download complete?`)

		require.NoError(t, os.WriteFile(index, []byte(pointer), 0o600))
		assert.Contains(t, fault(), "is a Git LFS pointer, not the file: run git lfs pull")
	})
}

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

// Git's stand-in for a file is named under every name that it can have.
func TestPointersOfGitLFS(t *testing.T) {
	for _, name := range []string{"model.safetensors", "pytorch_model.bin", "x.pt", "x.pth", "x.gob"} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(pointer), 0o600))
		_, err := checkpoint.Open(path, "")
		assert.EqualError(t, err, path+" is a Git LFS pointer, not the file: run git lfs pull")
		_, err = checkpoint.OpenSafeTensors(path)
		assert.EqualError(t, err, path+" is a Git LFS pointer, not the file: run git lfs pull")
	}
}

// Types that nothing here computes with are listed with their names and not loaded; the other tensors are.
func TestOtherTypes(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		s, err := checkpoint.OpenSafeTensors(write(t, file(`{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},
			"b":{"dtype":"F8_E5M2","shape":[1,1],"data_offsets":[2,3]},"c":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`, 1, 2, 3, 4)))
		require.NoError(t, err)
		defer s.Close()
		for name, dtype := range map[string]string{"a": "float8_e4m3fn", "b": "float8_e5m2"} {
			info, ok := s.Info(name)
			require.True(t, ok)
			assert.Equal(t, dtype, info.DType.String())
			assert.Nil(t, s.Bytes(name))
			_, err = s.Load(name, torch.CPU)
			assert.ErrorContains(t, err, dtype+", which Espalier cannot load")
			assert.Error(t, checkpoint.CopySafeTensors(filepath.Join(t.TempDir(), "x"), s, nil))
		}
		c, err := s.Load("c", torch.CPU)
		require.NoError(t, err)
		assert.Equal(t, []uint8{4}, torch.Values[uint8](c))
	})
}
