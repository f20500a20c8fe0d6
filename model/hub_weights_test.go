package model_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// The comparison with transformers sees every weight: with the sign of any parameter turned, some logit is far outside of
// what float32 is allowed.
func TestFixturesSeeEveryWeight(t *testing.T) {
	for _, name := range modeltest.Hub {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				c := openCase(t, modeltest.Folder(name))
				m, truth := modeltest.Double(t, c.m), modeltest.ReadTruth(t, c.folder, "exact", "outputs")
				grads := modeltest.ReadTruth(t, c.folder, "grads", "gradients")
				allowed, turned := torchtest.Multiple*truth.Errors["logits"], 0
				for _, p := range m.Store().Params() {
					if g := grads.Values[p.Name]; g == nil || g.Abs().AMax().Item() < 1e-9 {
						continue // no output depends on it: a key's bias, the text half of the Q-Former's last layer
					}
					turned++
					torch.NoGrad(func() { p.T().CopyFrom(p.T().Neg()) })
					off := c.outputs(t, m)["logits"].Sub(truth.Values["logits"]).Abs().AMax().Item()
					assert.Greater(t, off, 10*allowed, p.Name)
					torch.NoGrad(func() { p.T().CopyFrom(p.T().Neg()) })
				}
				require.Greater(t, turned, len(m.Store().Params())*3/4)
			})
		})
	}
}
