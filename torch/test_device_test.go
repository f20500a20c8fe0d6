package torch_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func needsTestDevice(t *testing.T) {
	t.Helper()
	if !torchtest.TestDevice() {
		t.Skip("NO TEST DEVICE: make builds it, and it is not there beside a GPU")
	}
}

// hostAccesses are planted faults: what must never be done with an address of a device.
var hostAccesses = map[string]func(x *torch.Tensor){
	"Go reads":      func(x *torch.Tensor) { _ = 1 / *(*float32)(x.DataPointer()) },
	"Go writes":     func(x *torch.Tensor) { *(*float32)(x.DataPointer()) = 1 },
	"a CPU kernel":  func(x *torch.Tensor) { torch.Borrow(x.DataPointer(), torch.Float32, 2).Sum().Item() },
	"a copy from C": func(x *torch.Tensor) { torch.FromPointer(x.DataPointer(), 8, torch.Float32, torch.CPU, 2) },
}

const hostAccess = "host access "

func init() {
	for name, access := range hostAccesses {
		children[hostAccess+name] = func() error {
			access(torch.Ones([]int{2}, torch.Float32, torch.Test))
			return nil
		}
	}
}

func TestTestDeviceRefusesTheHost(t *testing.T) {
	needsTestDevice(t)
	for name := range hostAccesses {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVariable+"="+hostAccess+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "%s", out)
			require.Contains(t, string(out), "host access to the memory of the test device\n")
			if !sanitized() { // a sanitizer's report stands there in place of Go's
				require.Contains(t, string(out), "test_device_test.go", "where it was")
			}
		})
	}
}

func TestTestDeviceRefusesOthersTensors(t *testing.T) {
	needsTestDevice(t)
	torchtest.Run(t, func(*torch.Scope) {
		on := func(d torch.Device) *torch.Tensor { return floats(d, []int{2, 2}, 1, 2, 3, 4) }
		image := func(d torch.Device) *torch.Tensor { return torch.Ones([]int{1, 3, 4, 4}, torch.Float32, d) }
		ids := func(d torch.Device) *torch.Tensor { return torch.FromInts([]int{1, 0}, d) }
		cpu, test := on(torch.CPU), on(torch.Test)
		for name, mixed := range map[string]func(){
			"add":        func() { test.Add(cpu) },
			"add to CPU": func() { cpu.Add(test) },
			"matmul":     func() { test.MatMul(cpu) },
			"AdamW": func() {
				l := func(t *torch.Tensor) []*torch.Tensor { return []*torch.Tensor{t} }
				torch.AdamWStep(l(test), l(cpu), l(test), l(test), l(torch.Zeros(nil, torch.Float32, torch.Test)), 1, 1, .9, .99, 1e-8, 0)
			},
			"linear":      func() { test.Linear(cpu, nil) },
			"layer norm":  func() { test.LayerNorm(floats(torch.CPU, []int{2}, 1, 1), floats(torch.CPU, []int{2}, 0, 0), 1e-5) },
			"convolution": func() { image(torch.Test).Conv2D(image(torch.CPU), nil, 1) },
			"cat":         func() { torch.Cat(0, test, cpu) },
			"embedding":   func() { torch.Embedding(test, ids(torch.CPU)) },
			"select":      func() { test.IndexSelect(0, ids(torch.CPU)) },
			"loss":        func() { test.CrossEntropy(ids(torch.CPU)) },
			"where":       func() { torch.Where(cpu.GtScalar(2), test, test) },
			"attention":   func() { torch.ScaledDotProductAttention(test, test, cpu, nil, 1) },
			"gradient":    func() { test.SetGrad(cpu) },
		} {
			err := torch.Run(func(*torch.Scope) error {
				mixed()
				return nil
			})
			require.Error(t, err, name)
			require.Contains(t, err.Error(), "test:0", name)
			require.Contains(t, err.Error(), "cpu", name)
		}
		torchtest.Values(t, test.Add(torch.Full(nil, 1, torch.Float32, torch.CPU)), []int{2, 2}, 2, 3, 4, 5) // a number may stay on the CPU
	})
}

// Views, writing through them, strides and what is made anew: the parts that a device has of its own.
func TestTestDeviceMemory(t *testing.T) {
	needsTestDevice(t)
	torchtest.Run(t, func(*torch.Scope) {
		x := floats(torch.Test, []int{2, 3}, 1, 2, 3, 4, 5, 6)
		column := x.Transpose(0, 1).Narrow(0, 1, 1)
		torchtest.Values(t, column, []int{1, 2}, 2, 5)
		column.Fill(9)
		torchtest.Values(t, x, []int{2, 3}, 1, 9, 3, 4, 9, 6)
		torchtest.Values(t, x.Transpose(0, 1).Clone(), []int{3, 2}, 1, 4, 9, 9, 3, 6)
		x.CopyFrom(floats(torch.CPU, []int{2, 3}, 1, 2, 3, 4, 5, 6))
		torchtest.Values(t, x.ToDevice(torch.CPU).ToDevice(torch.Test), []int{2, 3}, 1, 2, 3, 4, 5, 6)
		require.Equal(t, torch.Test, column.MatMul(x).Device())
		require.Equal(t, 0, torch.Empty([]int{0, 3}, torch.Float32, torch.Test).Count())
		requireError(t, torch.KindMemory, "out of memory", func() { torch.Empty([]int{1 << 40}, torch.Float32, torch.Test) })
	})
}
