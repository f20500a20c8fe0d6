package torch

// #include "espalier.h"
import "C"

import "runtime"

// AdamWStep updates params in place by libtorch's fused AdamW. The moments have the shapes of params; steps are float32
// scalars that are counted up. All lists have the same length. torch/optim keeps these lists for a user.
func AdamWStep(params, grads, first, second, steps []*Tensor, lr, beta1, beta2, eps, weightDecay float64) {
	if len(params) == 0 {
		return
	}
	p, g, m, v, n := handles(params), handles(grads), handles(first), handles(second), handles(steps)
	check("adamw", C.esp_adamw_step(list(p), list(g), list(m), list(v), list(n), C.double(lr), C.double(beta1),
		C.double(beta2), C.double(eps), C.double(weightDecay)), params[0])
	for _, ts := range [][]*Tensor{params, grads, first, second, steps} {
		runtime.KeepAlive(ts)
	}
}

// ClipGradNorm scales the gradients of params so that their common 2-norm is at most limit, and returns the norm that
// they had. Parameters without a gradient are left out.
func ClipGradNorm(params []*Tensor, limit float64) (norm float64, err error) {
	err = Run(func(*Scope) error {
		var grads []*Tensor
		for _, p := range params {
			if g := p.Grad(); g != nil {
				grads = append(grads, g)
			}
		}
		if len(grads) == 0 {
			return nil
		}
		hs := handles(grads)
		var n C.double
		check("clip_grad_norm", C.esp_grads_clip(list(hs), C.double(limit), &n), grads[0])
		norm = float64(n)
		return nil
	})
	return norm, err
}
