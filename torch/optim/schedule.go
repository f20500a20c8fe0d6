package optim

import "math"

// Schedule gives the factor on the learning rate at a step, counted from 0.
type Schedule func(step int) float64

// WarmupCosine rises linearly over the first warmup share of the steps (at least one step), then falls along a half
// cosine to the final factor.
func WarmupCosine(steps int, warmup, final float64) Schedule {
	w := max(1, int(float64(steps)*warmup))
	return func(step int) float64 {
		if step < w {
			return float64(step+1) / float64(w)
		}
		progress := float64(step-w) / float64(max(1, steps-w))
		return final + (1-final)*.5*(1+math.Cos(math.Pi*min(1, progress)))
	}
}

// Constant keeps the learning rate.
func Constant() Schedule { return func(int) float64 { return 1 } }
