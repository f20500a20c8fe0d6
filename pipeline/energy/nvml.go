package energy

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"espalier/pipeline/process"
)

// NVML, the library of NVIDIA's driver, counts a GPU's millijoules (Volta and later). purego opens it at run time. NVIDIA's go-nvml leaves
// its symbols open when a program is linked: with -z now, the default of some compilers, the program would not start without the library.
const nvmlLibrary = "libnvidia-ml.so.1"

// nvml are the functions of the library that are used; each gives 0 when it worked.
type nvml struct {
	Init        func() int32
	ByIndex     func(index uint32, device *uintptr) int32
	ByUUID      func(uuid string, device *uintptr) int32
	Name        func(device uintptr, name *byte, length uint32) int32
	TotalEnergy func(device uintptr, millis *uint64) int32
}

var openNVML = sync.OnceValues(func() (*nvml, error) { return loadNVML(nvmlLibrary) })

func loadNVML(path string) (*nvml, error) {
	n := &nvml{}
	err := process.Bind(path, map[string]any{"nvmlInit_v2": &n.Init, "nvmlDeviceGetHandleByIndex_v2": &n.ByIndex,
		"nvmlDeviceGetHandleByUUID": &n.ByUUID, "nvmlDeviceGetName": &n.Name, "nvmlDeviceGetTotalEnergyConsumption": &n.TotalEnergy})
	if err != nil {
		return nil, err
	}
	if status := n.Init(); status != 0 {
		return nil, fmt.Errorf("nvmlInit_v2 gave %d", status)
	}
	return n, nil
}

// gpu is one GPU's counter.
type gpu struct {
	nvml   *nvml
	device uintptr
	name   string
}

func (g *gpu) Name() string { return g.name }

func (g *gpu) Joules() (float64, error) {
	var millis uint64
	if status := g.nvml.TotalEnergy(g.device, &millis); status != 0 {
		return 0, fmt.Errorf("energy: %s: nvmlDeviceGetTotalEnergyConsumption gave %d", g.name, status)
	}
	return float64(millis) / 1e3, nil
}

// openGPU opens the counter of CUDA's device of that number.
func openGPU(index int) (Source, error) {
	n, err := openNVML()
	if err != nil {
		return nil, err
	}
	return n.open(visible(os.Getenv("CUDA_VISIBLE_DEVICES"), index))
}

// open opens the counter of a GPU, given by its number or its UUID.
func (n *nvml) open(which string) (Source, error) {
	g := &gpu{nvml: n, name: "GPU " + which}
	status := int32(0)
	if number, err := strconv.ParseUint(which, 10, 32); err == nil {
		status = n.ByIndex(uint32(number), &g.device)
	} else {
		status = n.ByUUID(which, &g.device)
	}
	if status != 0 {
		return nil, fmt.Errorf("NVML gives %d for the GPU %s", status, which)
	}
	var name [96]byte // NVML's names are shorter
	if n.Name(g.device, &name[0], uint32(len(name))) == 0 {
		text, _, _ := strings.Cut(string(name[:]), "\x00")
		g.name += ", " + text
	}
	_, err := g.Joules()
	return g, err
}

// visible is the GPU that CUDA's device of a number is: a number, or a UUID. Where GPUs of several kinds are in a machine, CUDA counts as
// NVML does only with CUDA_DEVICE_ORDER=PCI_BUS_ID.
func visible(list string, index int) string {
	if names := strings.Split(list, ","); list != "" && index < len(names) {
		return strings.TrimSpace(names[index])
	}
	return strconv.Itoa(index)
}
