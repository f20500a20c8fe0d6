package model_test

import (
	"testing"

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
			modeltest.RequireTorchScript(t, modeltest.Family(t, name), 1e-5)
		})
	}
}

// In float64 nothing but the order of additions differs; halves stay halves in the file.
func TestTorchScriptOfOtherKinds(t *testing.T) {
	torchtest.Setup(t)
	for d, tolerance := range map[torch.DType]float64{torch.Float64: 1e-12, torch.BFloat16: .15} {
		for _, name := range []string{"blip2_opt", "instructblip_t5", "blip2_llama"} {
			n, err := model.Convert(modeltest.Family(t, name), d, torch.CPU)
			require.NoError(t, err)
			defer n.Store().Free()
			modeltest.RequireTorchScript(t, n.(*model.Blip2), tolerance)
		}
	}
}
