// Package process is what the system tells of this process and its machine.
package process

import (
	"fmt"
	"os"
	"strings"
)

// Resident is the memory that the process has now, in bytes; 0 where the system does not tell.
func Resident() int64 { return value("/proc/self/status", "VmRSS:") }

// Peak is the most memory that the process has had, in bytes; 0 where the system does not tell.
func Peak() int64 { return value("/proc/self/status", "VmHWM:") }

// Available is what the system can still give, with what this process has, in bytes; 0 where it does not tell.
func Available() int64 {
	free := value("/proc/meminfo", "MemAvailable:")
	if free == 0 {
		return 0
	}
	return free + Resident()
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
