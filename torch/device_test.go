package torch_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestParseDevice(t *testing.T) {
	n := torch.CUDADevices()
	first := torch.CPU
	if n > 0 {
		first = torch.CUDA(0)
		for _, s := range []string{"cuda", "cuda:0"} {
			d, err := torch.ParseDevice(s)
			require.NoError(t, err)
			require.Equal(t, first, d)
		}
	} else {
		_, err := torch.ParseDevice("cuda")
		require.EqualError(t, err, `torch: device "cuda:0" is not there: 0 CUDA devices usable; use cpu or auto`)
	}
	for s, want := range map[string]torch.Device{"cpu": torch.CPU, "auto": first, "": first} {
		d, err := torch.ParseDevice(s)
		require.NoError(t, err)
		require.Equal(t, want, d)
	}
	_, err := torch.ParseDevice(fmt.Sprintf("cuda:%d", n))
	require.ErrorContains(t, err, "is not there")
	for _, s := range []string{"gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda1", "cuda:1.5", "0"} {
		_, err := torch.ParseDevice(s)
		require.ErrorContains(t, err, `"`+s+`" is not cpu, cuda, cuda:N or auto`)
	}
}

func TestDeviceNames(t *testing.T) {
	require.Equal(t, "cpu", torch.CPU.String())
	require.Equal(t, "cuda:1", torch.CUDA(1).String())
	require.False(t, torch.CPU.IsCUDA())
	require.True(t, torch.CUDA(0).IsCUDA())
}

func TestSynchronize(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := torch.Ones([]int{64, 64}, torch.Float32, on)
		y := x.MatMul(x)
		on.Synchronize()
		require.Equal(t, 64., y.Mean().Item())
	})
}

func TestAbsentDevice(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		absent := torch.CUDA(torch.CUDADevices())
		err := torch.Run(func(*torch.Scope) error {
			torch.Ones([]int{2}, torch.Float32, absent)
			return nil
		})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "\n")
	})
}

// What a process does first before it asks for CUDA: the test calls itself with this set.
const lateVariable = "ESPALIER_TEST_LATE"

// libtorch answers for ever whether there is CUDA as it did at first: that must not be before its CUDA library is loaded.
func TestCUDAIsFoundLate(t *testing.T) {
	first := map[string]func(){
		"nothing":  func() {},
		"backward": func() { leaf(torch.CPU, []int{2}, 1, 2).Sum().Backward() },
		"module":   callModule,
	}
	if f := first[os.Getenv(lateVariable)]; f != nil {
		torchtest.Run(t, func(*torch.Scope) {
			f()
			require.Equal(t, 2., torch.Ones([]int{2}, torch.Float32, torch.CUDA(0)).Sum().Item())
			x := leaf(torch.CUDA(0), []int{2}, 1, 2)
			x.Sum().Backward()
			torchtest.Values(t, x.Grad(), []int{2}, 1, 1)
		})
		return
	}
	if torch.CUDADevices() == 0 {
		t.Skip("NO CUDA DEVICE: not tested on a GPU")
	}
	for name := range first {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCUDAIsFoundLate$")
		cmd.Env = append(os.Environ(), lateVariable+"="+name)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s first: %s", name, out)
	}
}

// callModule traces a method on the CPU and calls it.
func callModule() {
	m, err := torch.NewModule("Test", nil)
	if err != nil {
		panic(err)
	}
	defer m.Close()
	x := torch.Ones([]int{1, 2}, torch.Float32, torch.CPU)
	if err := m.Trace("f", []torch.Input{input("x", x)}, func(in []torch.Operand) []torch.Operand {
		return torch.Operands(in[0].Tensor.AddScalar(1))
	}); err != nil {
		panic(err)
	}
	for range 3 { // the executor optimises a method after the first calls
		m.Call("f", torch.Operand{Tensor: x})
	}
}
