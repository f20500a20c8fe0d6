package process

import (
	"fmt"
	"strings"

	"github.com/ebitengine/purego"
)

// cudaLibrary is of NVIDIA's driver: without it libtorch cannot use a GPU. It counts the devices as libtorch does; NVML would not where GPUs of
// several kinds are in a machine.
const cudaLibrary = "libcuda.so.1"

// GPU is the name of CUDA's device of a number, as "NVIDIA H100 80GB HBM3".
func GPU(index int) (string, error) {
	name, err := gpuName(cudaLibrary, index)
	if err != nil {
		return "", fmt.Errorf("process: the name of cuda:%d cannot be read: %w: look whether nvidia-smi shows the GPU, or compute on another device", index, err)
	}
	return name, nil
}

// Bind opens a library and sets variables of functions to those of its symbols.
func Bind(path string, functions map[string]any) error {
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return err
	}
	for symbol, function := range functions {
		address, err := purego.Dlsym(library, symbol)
		if err != nil {
			return err
		}
		purego.RegisterFunc(function, address)
	}
	return nil
}

func gpuName(path string, index int) (string, error) {
	var start func(flags uint32) int32
	var get func(device *int32, index int32) int32
	var name func(text *byte, length, device int32) int32
	if err := Bind(path, map[string]any{"cuInit": &start, "cuDeviceGet": &get, "cuDeviceGetName": &name}); err != nil {
		return "", err
	}
	var device int32
	var text [256]byte
	if status := start(0); status != 0 {
		return "", fmt.Errorf("cuInit gave %d", status)
	}
	if status := get(&device, int32(index)); status != 0 {
		return "", fmt.Errorf("cuDeviceGet gave %d", status)
	}
	if status := name(&text[0], int32(len(text)), device); status != 0 {
		return "", fmt.Errorf("cuDeviceGetName gave %d", status)
	}
	before, _, _ := strings.Cut(string(text[:]), "\x00")
	return before, nil
}
