package bench

import (
	"time"

	"espalier/torch"
)

// product times matrix products.
func product(times, n int, d torch.DType) (seconds []float64, err error) {
	err = torch.Run(func(*torch.Scope) error {
		a := torch.Full([]int{n, n}, .5, d, torch.CPU)
		for range times {
			start := time.Now()
			a.MatMul(a).Free()
			seconds = append(seconds, time.Since(start).Seconds())
		}
		return nil
	})
	return seconds, err
}

// copyBytes times copies between two tensors.
func copyBytes(times int) (seconds []float64, err error) {
	err = torch.Run(func(*torch.Scope) error {
		a, b := torch.Ones([]int{copied / 4}, torch.Float32, torch.CPU), torch.Zeros([]int{copied / 4}, torch.Float32, torch.CPU)
		for range times {
			start := time.Now()
			b.CopyFrom(a)
			seconds = append(seconds, time.Since(start).Seconds())
		}
		return nil
	})
	return seconds, err
}
