package torch_test

import (
	"debug/elf"
	"path/filepath"
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

func TestCPUCapability(t *testing.T) {
	require.Contains(t, []string{"DEFAULT", "AVX2", "AVX512"}, torch.CPUCapability())
}

// Another process under another setting sees the setting, and the same library.
func TestCapabilityAndPathOfTheLoadedLibrary(t *testing.T) {
	out := inChild(t, "library", "ATEN_CPU_CAPABILITY=default")
	require.Equal(t, "DEFAULT "+torch.ShimPath(), out)
	_, err := elf.Open(torch.ShimPath())
	require.NoError(t, err)
	require.Equal(t, "libespalier.so", filepath.Base(torch.ShimPath()))
}

func TestLiveTensors(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	x := torch.Ones([]int{2}, torch.Float32, torch.CPU)
	y := x.Detach()
	require.Equal(t, before+2, torch.LiveTensors())
	x.Free()
	y.Free()
	require.Equal(t, before, torch.LiveTensors())
}
