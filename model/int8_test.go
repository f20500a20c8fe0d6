package model_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// A network of each family that is held as int8 is read back bit for bit, takes the space that it says, and is written again as the same bytes.
func TestInt8Checkpoints(t *testing.T) {
	for _, family := range slices.Concat(modeltest.Families, modeltest.Decoders) {
		t.Run(family, func(t *testing.T) {
			torchtest.Setup(t)
			m := modeltest.Family(t, family)
			held, err := model.Stored(m, model.DtypesOf(m).All(torch.Int8))
			require.NoError(t, err)
			defer held.Store().Free()
			first, second := t.TempDir(), t.TempDir()
			require.NoError(t, held.Save(first))
			got, err := model.Load(first, torch.CPU)
			require.NoError(t, err)
			defer got.Store().Free()
			assert.Equal(t, held.Store().Bytes(), got.Store().Bytes())
			assert.Less(t, got.Store().Bytes(), m.Store().Bytes()/2, "narrow rows have many scales")
			for i, p := range got.Store().Params() {
				want := held.Store().Params()[i]
				assert.Equal(t, torch.Int8Rows(p.Shape()) > 0, p.Int8, p.Name)
				assert.Equal(t, torch.Values[float32](want.T()), torch.Values[float32](p.T()), p.Name)
			}
			require.NoError(t, got.Save(second))
			for _, name := range []string{"config.json", checkpoint.SingleFile} {
				a, err := os.ReadFile(filepath.Join(first, name))
				require.NoError(t, err)
				b, err := os.ReadFile(filepath.Join(second, name))
				require.NoError(t, err)
				assert.True(t, string(a) == string(b), name)
			}
			config, err := os.ReadFile(filepath.Join(first, "config.json"))
			require.NoError(t, err)
			assert.Contains(t, string(config), `"quant_method": "espalier_int8"`, "so that transformers refuses it")

			require.NoError(t, got.Store().Own(torch.Float32))
			third := t.TempDir()
			require.NoError(t, got.Save(third))
			config, err = os.ReadFile(filepath.Join(third, "config.json"))
			require.NoError(t, err)
			assert.NotContains(t, string(config), "quantization_config", "what is trained is float32 again")
			plain, err := model.Load(third, torch.CPU)
			require.NoError(t, err)
			assert.False(t, plain.Store().Params()[0].Int8)
			plain.Store().Free()
		})
	}
}

// Integers without scales, scales without integers and scales of another shape are refused by name.
func TestDamagedInt8Checkpoints(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.Family(t, "blip2_opt_wide")
	held, err := model.Stored(m, model.DtypesOf(m).All(torch.Int8))
	require.NoError(t, err)
	defer held.Store().Free()
	folder := t.TempDir()
	require.NoError(t, held.Save(folder))
	const name = "language_projection.weight"
	for want, change := range map[string]func(map[string]*torch.Tensor){
		"tensor " + name + " holds int8": func(v map[string]*torch.Tensor) { delete(v, name+checkpoint.ScaleSuffix) },
		"there is no int8 tensor " + name: func(v map[string]*torch.Tensor) {
			v[name] = v[name].To(torch.Float32)
		},
		"scales of " + name + " are 28 values": func(v map[string]*torch.Tensor) {
			v[name+checkpoint.ScaleSuffix] = torch.From(make([]float32, 3), torch.CPU, 3)
		},
	} {
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			path := filepath.Join(folder, checkpoint.SingleFile)
			values, err := checkpoint.ReadSafeTensors(path, torch.CPU)
			require.NoError(t, err)
			change(values)
			damaged := t.TempDir()
			require.NoError(t, os.CopyFS(damaged, os.DirFS(folder)))
			require.NoError(t, checkpoint.WriteSafeTensors(filepath.Join(damaged, checkpoint.SingleFile), values, nil))
			_, err = model.Load(damaged, torch.CPU)
			assert.ErrorContains(t, err, want)
			return nil
		}))
	}
}
