package optim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch/optim"
)

func TestClipScale(t *testing.T) {
	require.Equal(t, 1., optim.ClipScale(5, 10)) // short enough already
	require.InDelta(t, .2, optim.ClipScale(5, 1), 1e-6)
	require.Equal(t, 1., optim.ClipScale(0, 1))
}
