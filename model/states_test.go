package model_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// The states of one forward are those of the parts, in every family.
func TestStatesAreThoseOfTheParts(t *testing.T) {
	for _, family := range []string{"blip2_opt", "blip2_t5", "instructblip_llama"} {
		t.Run(family, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				m := modeltest.Double(t, modeltest.Family(t, family))
				defer m.Store().Free()
				b, err := modeltest.Ask(m)()
				require.NoError(t, err)
				b.Pictures = b.Pictures.To(torch.Float64)
				torch.NoGrad(func() {
					s := m.States(b)
					assert.Equal(t, m.Vision(b.Pictures).Raw(), s.Vision.Raw())
					assert.Equal(t, m.Prefix(b).Raw(), s.Prefix.Raw())
					assert.Equal(t, m.Hidden(b).Raw(), s.Hidden.Raw())
				})
			})
		})
	}
}
