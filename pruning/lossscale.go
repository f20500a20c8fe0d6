package pruning

import (
	"errors"

	"espalier/torch"
	"espalier/torch/nn"
)

// Gradients below 6e-8 vanish in float16. As in mixed-precision training (Micikevicius et al., 2018), the loss of a
// network with float16 weights is scaled up for backward, less where a gradient then overflows.
const (
	largestScale = 1 << 14
	scaleStep    = 16
)

// scaleFor is the first scale to try for a network: 1 where nothing can vanish.
func scaleFor(s *nn.Store) float64 {
	for _, p := range s.Params() {
		if p.T().DType() == torch.Float16 {
			return largestScale
		}
	}
	return 1
}

// scaled runs backward of a batch's loss at smaller scales while what attempt finds is not finite. attempt divides by the
// scale, and adds up only finite values; it tells whether they were.
func scaled(scale *float64, attempt func(scale float64) (finite bool, err error)) error {
	for {
		done, err := attempt(*scale)
		if err != nil || done {
			return err
		}
		if *scale <= 1 {
			return errors.New("a gradient is not a finite number: the loss is none, or the weights' dtype does not reach as far " +
				"(bfloat16 and float32 reach further than float16)")
		}
		*scale /= scaleStep
	}
}

// backward is that of a loss times the scale.
func backward(l *torch.Tensor, scale float64) {
	if scale != 1 {
		l = l.To(torch.Float32).MulScalar(scale)
	}
	l.Backward()
}
