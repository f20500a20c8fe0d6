package energy

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// madeUpNVML counts 2.5 J at each question; it has one GPU, and says so as NVML does.
const madeUpNVML = `#include <string.h>
static unsigned long long millis;
static int gpu;
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &gpu; return index == 3 ? 0 : 6; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) { *device = &gpu; return strcmp(uuid, "GPU-8f3a") ? 6 : 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) { strncpy(name, "Made Up 100", length); return device != &gpu; }
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) { *energy = millis += 2500; return device != &gpu; }
`

// A library of the same functions is called as NVML's header has them.
func TestNVML(t *testing.T) {
	folder := t.TempDir()
	source, library := filepath.Join(folder, "nvml.c"), filepath.Join(folder, "libnvml.so")
	require.NoError(t, os.WriteFile(source, []byte(madeUpNVML), 0o644))
	said, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput()
	require.NoError(t, err, string(said))
	n, err := loadNVML(library)
	require.NoError(t, err)
	for _, which := range []string{"3", "GPU-8f3a"} {
		g, err := n.open(which)
		require.NoError(t, err)
		assert.Equal(t, "GPU "+which+", Made Up 100", g.Name())
		before, err := g.Joules()
		require.NoError(t, err)
		after, err := g.Joules()
		require.NoError(t, err)
		assert.Equal(t, 2.5, after-before)
	}
	for _, which := range []string{"0", "GPU-0000"} {
		_, err := n.open(which)
		assert.EqualError(t, err, "NVML gives 6 for the GPU "+which)
	}
	_, err = loadNVML(filepath.Join(folder, "none.so"))
	assert.ErrorContains(t, err, "none.so")
}

func TestVisibleGPU(t *testing.T) {
	assert.Equal(t, "1", visible("", 1))
	assert.Equal(t, "3", visible("2, 3", 1))
	assert.Equal(t, "GPU-8f3a", visible("GPU-8f3a", 0))
}
