package chain_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch"
)

// The environment knows which GPU it is, and not its number alone.
func TestTheEnvironmentNamesTheGPU(t *testing.T) {
	e, err := chain.EnvironmentOf(torch.CPU, 1, 1)
	require.NoError(t, err)
	assert.Equal(t, "cpu", e.Device)
	e, err = chain.EnvironmentOf(torch.CUDA(0), 1, 1)
	if torch.CUDADevices() == 0 {
		assert.ErrorContains(t, err, "the name of cuda:0 cannot be read")
		return
	}
	require.NoError(t, err)
	assert.Regexp(t, "^cuda:0, .*[A-Za-z]", e.Device)
}
