package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "status")
	require.NoError(t, os.WriteFile(file, []byte("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t1024 kB\nThreads:\tmany kB\n"), 0o644))
	assert.Equal(t, int64(2<<20), value(file, "VmHWM:"))
	assert.Equal(t, int64(1<<20), value(file, "VmRSS:"))
	for _, key := range []string{"Threads:", "VmSwap:"} {
		assert.Zero(t, value(file, key), key)
	}
	assert.Zero(t, value(file+"-", "VmRSS:"), "there is no such file")
}

// Memory that was touched counts, and the peak keeps it.
func TestThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system has no /proc")
	}
	touched := make([]byte, 64<<20)
	for i := range touched {
		touched[i] = 1
	}
	for name, bytes := range map[string]int64{"resident": Resident(), "peak": Peak(), "available": Available()} {
		assert.GreaterOrEqual(t, bytes, int64(len(touched)), name)
	}
	assert.Equal(t, byte(1), touched[len(touched)-1])
}
