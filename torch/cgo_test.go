package torch_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestLibrary(t *testing.T) {
	torchtest.Setup(t)
	require.Regexp(t, regexp.MustCompile(`^2\.\d+\.\d+`), torch.Version())
	torch.SetNumThreads(2)
	require.Equal(t, 2, torch.NumThreads())
	torch.TrimMemory()
}

func TestLiveTensors(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	x := torch.Ones([]int{2}, torch.Float32, torch.CPU)
	y := x.Alias()
	require.Equal(t, before+2, torch.LiveTensors())
	x.Free()
	y.Free()
	require.Equal(t, before, torch.LiveTensors())
}
