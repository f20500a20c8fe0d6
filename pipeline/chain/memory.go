package chain

import (
	"fmt"
	"os"
	"strings"
)

// peakRSS is the most memory that the process has had, in bytes; 0 where the system does not tell.
func peakRSS() int64 { return ProcValue("/proc/self/status", "VmHWM:") }

// ProcValue reads a line "key: n kB" of a file of /proc, in bytes.
func ProcValue(file, key string) int64 {
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
