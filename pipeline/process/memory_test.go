package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
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

// Where others have taken all addresses, Go still has its heap and its threads, and without Reserve it has not: each is a
// process of its own, as Go aborts.
func TestReserve(t *testing.T) {
	if as := os.Getenv("ESPALIER_TEST_RESERVE"); as != "" {
		if as == "reserved" {
			assert.NoError(t, Reserve())
		}
		goOn()
		return
	}
	for _, as := range []string{"reserved", "not"} {
		command := exec.Command("sh", "-c", `ulimit -v 4000000 && exec "$0" -test.run "^TestReserve$"`, os.Args[0])
		command.Env = append(os.Environ(), "ESPALIER_TEST_RESERVE="+as)
		out, err := command.CombinedOutput()
		if as == "reserved" {
			assert.NoError(t, err, "%s", out)
		} else {
			assert.Error(t, err, "there was no room to miss")
		}
	}
}

// A process that has not even room for the reserve is told so.
func TestReserveTooMuch(t *testing.T) {
	if os.Getenv("ESPALIER_TEST_RESERVE") != "" {
		var limit syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_AS, &limit))
		limit.Cur = uint64(value("/proc/self/status", "VmSize:") + reserve - 1)
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_AS, &limit))
		require.ErrorContains(t, Reserve(), "ulimit -v")
		return
	}
	command := exec.Command(os.Args[0], "-test.run", "^TestReserveTooMuch$")
	command.Env = append(os.Environ(), "ESPALIER_TEST_RESERVE=too much")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// goOn takes all addresses in the sizes of tensors, and then as much heap and as many threads as a run has.
func goOn() {
	for size := 64 << 20; size >= 1<<20; size /= 2 {
		for {
			if _, err := syscall.Mmap(-1, 0, size, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE); err != nil {
				break
			}
		}
	}
	heap := make([]byte, 16<<20)
	startThreads(8)
	runtime.KeepAlive(heap)
}

// A peak that is forgotten begins at what the process has.
func TestForgetPeak(t *testing.T) {
	memory := make([]byte, 64<<20)
	for i := range memory {
		memory[i] = 1
	}
	high := Peak()
	memory = nil
	runtime.GC()
	debug.FreeOSMemory()
	require.NoError(t, ForgetPeak())
	assert.Less(t, Peak(), high-(32<<20))
}
