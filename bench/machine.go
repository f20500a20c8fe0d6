package bench

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	system "espalier/pipeline/process"
	"espalier/torch"
)

func thisMachine(threads int) Machine {
	m := Machine{CPU: system.CPU(), Cores: runtime.NumCPU(), Threads: threads, LibTorch: torch.Version()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(text), &m.Load)
	}
	return m
}

// sameAsLoaded tells whether a libtorch_cpu is byte for byte the one that this process computes with.
func sameAsLoaded(library string) (bool, error) {
	mine, err := loaded("libtorch_cpu.so")
	if err != nil {
		return false, err
	}
	a, err := fileHash(mine)
	if err != nil {
		return false, err
	}
	b, err := fileHash(library)
	return a == b, err
}

// loaded is the path of a library of this process.
func loaded(name string) (string, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(maps)) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, "/"+name) {
			return line[strings.Index(line, "/"):], nil
		}
	}
	return "", errors.New(name + " is not among the libraries of this process")
}

func fileHash(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
