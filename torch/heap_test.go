package torch_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// Tensors of all sizes come and go on several threads, and each keeps the values that it was given.
func TestTensorsKeepTheirMemory(t *testing.T) {
	torchtest.Setup(t)
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			draw := rand.New(rand.NewPCG(1, uint64(worker)))
			live := map[*torch.Tensor]float64{}
			check := func(x *torch.Tensor) {
				if least, most := x.Neg().AMax().Neg().Item(), x.AMax().Item(); least != live[x] || most != live[x] {
					t.Errorf("a tensor of %d elements, all %g, has elements from %g to %g", x.Count(), live[x], least, most)
				}
				delete(live, x)
				x.Free()
			}
			err := torch.Run(func(s *torch.Scope) error {
				for i := range 1500 {
					err := torch.Run(func(s *torch.Scope) error {
						x := torch.Full([]int{1 << (8 + draw.IntN(10)), 1 + draw.IntN(5)}, float64(worker*10000+i), torch.Float32, torch.CPU)
						s.Keep(x)
						live[x] = float64(worker*10000 + i)
						for x := range live { // any of them
							if len(live) > 30 || draw.IntN(3) == 0 {
								check(x)
							}
							break
						}
						return nil
					})
					if err != nil {
						return err
					}
					if i%300 == 299 {
						torch.TrimMemory()
					}
				}
				for x := range live {
					check(x)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
}

// 400 MiB of tensors leave little behind; the address sanitizer keeps some of its own.
func TestTrimMemoryGivesBack(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		resident := func() int {
			torch.TrimMemory()
			n, err := statusBytes("VmRSS")
			require.NoError(t, err)
			return n
		}
		before := resident()
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			for range 100 {
				torch.Ones([]int{1 << 20}, torch.Float32, torch.CPU) // 4 MiB
			}
			require.Greater(t, resident()-before, 390<<20)
			return nil
		}))
		require.Less(t, resident()-before, 64<<20)
		// What is left lies behind freed memory: that is given back too.
		var last *torch.Tensor
		require.NoError(t, torch.Run(func(s *torch.Scope) error {
			for range 100 {
				last = torch.Ones([]int{1 << 20}, torch.Float32, torch.CPU)
			}
			s.Keep(last)
			return nil
		}))
		require.Less(t, resident()-before, 64<<20)
		require.Equal(t, 1., last.Mean().Item())
	})
}
