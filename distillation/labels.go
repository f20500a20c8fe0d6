package distillation

import (
	"fmt"
	"math"

	"espalier/torch"
)

var plusInfinity, minusInfinity = math.Inf(1), math.Inf(-1)

// Pairwise is the mean of h(c − s + margin), where s is the right token's logit and c the strongest other one. h is
// log(1 + e^x), max(x, 0), or max(x, 0)² / 2 up to x = 1 and x − 1/2 beyond (Huber).
func Pairwise(logits, targets *torch.Tensor, margin float64, form string) *torch.Tensor {
	right, rival := rivals(logits, targets)
	x := rival.AMax(-1).Sub(right).AddScalar(margin)
	switch form {
	case "", "softplus":
		return x.Softplus().Mean()
	case "hinge":
		return x.ReLU().Mean()
	case "huber":
		up := x.ReLU()
		capped := up.Minimum(torch.Ones(nil, up.DType(), up.Device()))
		return capped.Mul(up.Sub(capped.MulScalar(.5))).Mean()
	}
	panic(&torch.Error{Op: "pairwise", Kind: torch.KindMisuse, Message: fmt.Sprintf("unknown form %q; there are softplus, hinge, huber", form)})
}

// CrossEntropy is the mean of −log softmax(logits)[target].
func CrossEntropy(logits, targets *torch.Tensor) *torch.Tensor {
	return float(logits).CrossEntropy(targets)
}

// Margin is the mean of logsumexp(wrong logits) − right logit: unlike cross entropy it does not saturate on a converged
// teacher.
func Margin(logits, targets *torch.Tensor) *torch.Tensor {
	right, rival := rivals(float(logits), targets)
	return rival.LogSumExp(-1).Sub(right).Mean()
}

// rivals splits logits [n, vocabulary] into the right ones [n] and all others, where the right one is minus infinity.
func rivals(logits, targets *torch.Tensor) (right, others *torch.Tensor) {
	at := targets.Unsqueeze(-1)
	return logits.Gather(-1, at).Squeeze(-1), logits.Scatter(-1, at, minusInfinity)
}
