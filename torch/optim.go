package torch

// #include "espalier.h"
import "C"

import "runtime"

// AdamWStep updates params in place by AdamW, for gradients times scale; grads themselves have no use afterwards. The moments have the shapes of params;
// steps are float32 scalars that are counted up. All lists have the same length. torch/optim keeps these lists for a user.
func AdamWStep(params, grads, first, second, steps []*Tensor, scale, lr, beta1, beta2, eps, weightDecay float64) {
	if len(params) == 0 {
		return
	}
	p, g, m, v, n := handles(params), handles(grads), handles(first), handles(second), handles(steps)
	check("adamw", C.esp_adamw_step(list(p), list(g), list(m), list(v), list(n), C.double(scale), C.double(lr), C.double(beta1),
		C.double(beta2), C.double(eps), C.double(weightDecay)), params[0])
	for _, ts := range [][]*Tensor{params, grads, first, second, steps} {
		runtime.KeepAlive(ts)
	}
}

// GatherGrads adds the gradients of the parameters beside, lists like params, to those of params, one list after another, and
// drops them. It returns the common 2-norm of the gradients that params have then. Parameters without a gradient are left out.
func GatherGrads(params []*Tensor, beside ...[]*Tensor) (norm float64) {
	if len(params) == 0 {
		return 0
	}
	var others []*Tensor
	for _, ts := range beside {
		others = append(others, ts...)
	}
	var n C.double
	check("gather_grads", C.esp_grads_gather(list(handles(params)), list(handles(others)), &n), params[0])
	runtime.KeepAlive(params)
	runtime.KeepAlive(others)
	return float64(n)
}
