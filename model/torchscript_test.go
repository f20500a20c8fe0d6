package model_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// The traced methods answer as the network does, at sizes that they were not traced with.
func TestTorchScriptAnswersAlike(t *testing.T) {
	for _, name := range modeltest.Families {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			modeltest.RequireTorchScript(t, modeltest.Family(t, name))
		})
	}
}

// Halves stay halves in the file.
func TestTorchScriptOfHalves(t *testing.T) {
	torchtest.Setup(t)
	for _, name := range []string{"blip2_opt", "instructblip_t5", "blip2_llama"} {
		n, err := model.Convert(modeltest.Family(t, name), torch.BFloat16, torch.CPU)
		require.NoError(t, err)
		defer n.Store().Free()
		modeltest.RequireHalfTorchScript(t, n.(*model.Blip2))
	}
}

// The dtype that a file tells is that of prefix, logits, keys and values, also where projection and Q-Former are held in another.
func TestTorchScriptTellsItsDType(t *testing.T) {
	for _, name := range []string{"blip2_opt", "instructblip_t5", "blip2_llama"} {
		torchtest.Run(t, func(*torch.Scope) {
			m := modeltest.Family(t, name)
			dtypes := model.DtypesOf(m)
			for key := range dtypes {
				if strings.HasPrefix(key, "language_model.") {
					dtypes[key] = torch.BFloat16
				}
			}
			mixed, err := model.Stored(m, dtypes)
			require.NoError(t, err)
			defer mixed.Store().Free()
			c, file := m.Config(), filepath.Join(t.TempDir(), model.TorchScriptName)
			require.NoError(t, mixed.(*model.Blip2).SaveTorchScript(file, model.AdsPreprocessor(c.Vision.Image), nil))
			var about struct {
				DType string `json:"dtype"`
			}
			data, err := torch.ExtraFile(file, model.TorchScriptAbout)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &about))

			module, err := torch.LoadModule(file, torch.CPU)
			require.NoError(t, err)
			defer module.Close()
			ids := torch.Ones([]int{1, 3}, torch.Int64, torch.CPU)
			in := torch.Operands(torch.Zeros([]int{1, 3, c.Vision.Image, c.Vision.Image}, torch.Float32, torch.CPU))
			if c.Instruct() {
				in = append(in, torch.Operands(ids, ids)...)
			}
			prefix := module.Call("encode", in...)[0]
			out := module.Call("prefill", append([]torch.Operand{prefix}, torch.Operands(ids, ids)...)...)
			for _, x := range append(out[1].List, prefix.Tensor, out[0].Tensor) {
				if x.DType().IsFloat() {
					assert.Equal(t, about.DType, x.DType().String(), name)
				}
			}
		})
	}
}
