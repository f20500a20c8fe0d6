package process

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// leftInGroups is what the memory limits of the process's control groups leave, in bytes, such as those of a container, and whether there is
// one. proc and groups are /proc and /sys/fs/cgroup. Pages of files that nobody has used lately count as free, as the kernel takes them back first.
// Source: the kernel's admin-guide, cgroup-v2.rst and cgroup-v1/memory.rst.
func leftInGroups(proc, groups string) (left int64, limited bool) {
	text, err := os.ReadFile(filepath.Join(proc, "self", "cgroup"))
	if err != nil {
		return 0, false
	}
	left = math.MaxInt64
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		root, limit, usage, inactive := groups, "memory.max", "memory.current", "inactive_file"
		switch {
		case parts[1] == "memory":
			root, limit, usage, inactive = filepath.Join(groups, "memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		case parts[0] != "0":
			continue
		}
		// A container may see its own group as the root of all, whatever path is told.
		for at := filepath.Clean("/" + parts[2]); ; at = filepath.Dir(at) {
			folder := filepath.Join(root, at)
			most, ok := number(filepath.Join(folder, limit))
			used, known := number(filepath.Join(folder, usage))
			if ok && known && most < math.MaxInt64/2 { // v1 writes nearly 2^63 for no limit
				limited = true
				left = min(left, max(1, most-used+inGroup(filepath.Join(folder, "memory.stat"), inactive)))
			}
			if at == "/" {
				break
			}
		}
	}
	return left, limited
}

// number reads a file of one number; "max" is none.
func number(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// inGroup is a line "key bytes" of a memory.stat.
func inGroup(path, key string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), key+" "); ok {
			n, _ := strconv.ParseInt(text, 10, 64)
			return n
		}
	}
	return 0
}
