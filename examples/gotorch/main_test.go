//go:build cgotorch

package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A short run: half the units in every axis, a proof, a cut that costs accuracy and training that brings it back, and
// the same figures and bytes the second time.
func TestGotorchExample(t *testing.T) {
	torchtest.Setup(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	torch.SetNumThreads(1)
	o := options{seed: 1, steps: 300, more: 60, out: filepath.Join(t.TempDir(), "x.gob")}
	first, err := run(o)
	require.NoError(t, err)
	wrote, err := os.ReadFile(o.out)
	require.NoError(t, err)
	require.Len(t, first.rows, 4)
	require.Equal(t, 11, first.tensors)
	require.LessOrEqual(t, first.diff, pruning.Tolerance)
	trained, cut, after := first.rows[0], first.rows[2], first.rows[3]
	require.Equal(t, 12*9+12+24*12*9+4*24+64*24*9+64+10*64+10, trained.parameters)
	require.Equal(t, 6*9+6+12*6*9+4*12+32*12*9+32+10*32+10, after.parameters)
	require.Greater(t, trained.accuracy, .6)
	require.Less(t, cut.accuracy, trained.accuracy)
	require.Greater(t, after.accuracy, cut.accuracy)

	again, err := run(o)
	require.NoError(t, err)
	require.Equal(t, first, again)
	rewrote, err := os.ReadFile(o.out)
	require.NoError(t, err)
	require.Equal(t, wrote, rewrote)
}
