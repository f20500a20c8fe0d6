// Package process is what the system tells of this process and its machine.
package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// Resident is the memory that the process has now, in bytes; 0 where the system does not tell.
func Resident() int64 { return value("/proc/self/status", "VmRSS:") }

// Peak is the most memory that the process has had, in bytes; 0 where the system does not tell.
func Peak() int64 { return value("/proc/self/status", "VmHWM:") }

// ForgetPeak lets the peak begin anew from what the process has now.
func ForgetPeak() error {
	f, err := syscall.Open("/proc/self/clear_refs", syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("/proc/self/clear_refs: %w", err)
	}
	_, err = syscall.Write(f, []byte("5"))
	return errors.Join(err, syscall.Close(f))
}

// Available is what the process can have in all, in bytes: what the system can still give, with what it has, and not more than a
// limit on its address space leaves (much of that is never filled: libraries, what Go reserves), or its container's limit; 0 where the system
// does not tell.
func Available() int64 {
	free := value("/proc/meminfo", "MemAvailable:")
	if left, limited := leftInGroups("/proc", "/sys/fs/cgroup"); limited && (free == 0 || left < free) {
		free = left
	}
	if limit := addresses(); limit > 0 {
		left := max(1, limit-value("/proc/self/status", "VmSize:"))
		if free == 0 || left < free {
			free = left
		}
	}
	if free == 0 {
		return 0
	}
	return free + Resident()
}

// What [Reserve] keeps: a run has some 16 MiB of Go's own values and about ten threads, each with a stack of 8 MiB.
const (
	reservedHeap    = 64 << 20
	reservedThreads = 12
	reserve         = reservedHeap + reservedThreads*8<<20
)

// Reserve gives Go its heap and its threads while there is room for them, where the process's address space is limited. Tensors
// share that space, and tensors that do not fit are an error that a run can answer; Go without room for a thread aborts.
func Reserve() error {
	limit := addresses()
	if limit == 0 {
		return nil
	}
	if taken := value("/proc/self/status", "VmSize:"); taken+reserve > limit {
		return fmt.Errorf("there is not enough memory: the program itself takes %d MiB of the address space, which is limited to %d MiB: raise the limit (ulimit -v)",
			(taken+reserve)>>20, limit>>20)
	}
	runtime.KeepAlive(make([]byte, reservedHeap)) // Go keeps the addresses of what it frees
	startThreads(reservedThreads)                 // and the threads that have nothing to do, too
	runtime.GC()
	return nil
}

// startThreads has n threads of the system at once.
func startThreads(n int) {
	var started, ended sync.WaitGroup
	started.Add(n)
	for range n {
		ended.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			started.Done()
			started.Wait()
		})
	}
	ended.Wait()
}

// addresses is the limit on the process's address space, in bytes; 0 where there is none.
func addresses() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &limit); err != nil || limit.Cur >= math.MaxInt64 {
		return 0
	}
	return int64(limit.Cur)
}

// value reads a line "key: n kB" of a file of /proc, in bytes.
func value(file, key string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, key); ok {
			var kib int64
			if n, _ := fmt.Sscanf(rest, "%d kB", &kib); n == 1 {
				return kib << 10
			}
		}
	}
	return 0
}
