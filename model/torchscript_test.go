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
