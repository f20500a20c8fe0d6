package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// madeUpCUDA has one GPU, of number 3, and says so as CUDA's driver does.
const madeUpCUDA = `#include <string.h>
static int begun;
int cuInit(unsigned flags) { begun = 1; return flags; }
int cuDeviceGet(int *device, int index) { *device = 7; return !begun ? 3 : index == 3 ? 0 : 101; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Made Up 100", length); return device != 7; }
`

// A library of the same functions is called as the driver's header has them.
func TestGPU(t *testing.T) {
	folder := t.TempDir()
	source, library := filepath.Join(folder, "cuda.c"), filepath.Join(folder, "libcuda.so")
	require.NoError(t, os.WriteFile(source, []byte(madeUpCUDA), 0o644))
	said, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput()
	require.NoError(t, err, string(said))
	name, err := gpuName(library, 3)
	require.NoError(t, err)
	assert.Equal(t, "Made Up 100", name)
	_, err = gpuName(library, 0)
	assert.EqualError(t, err, "cuDeviceGet gave 101")
	_, err = gpuName(filepath.Join(folder, "none.so"), 0)
	assert.ErrorContains(t, err, "none.so")
}
