package torch_test

import (
	"fmt"
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
