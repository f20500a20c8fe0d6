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

// scaled runs backward of a loss in a scope of its own, at smaller scales while what take finds is not finite. take
// divides by the scale, and adds up only finite values; it tells whether they were.
func scaled(scale *float64, loss func() (*torch.Tensor, error), take func(scale float64) (finite bool)) error {
	for {
		done := false
		err := torch.Run(func(*torch.Scope) error {
			l, err := loss()
			if err != nil {
				return err
			}
			if *scale != 1 {
				l = l.To(torch.Float32).MulScalar(*scale)
			}
			l.Backward()
			done = take(*scale)
			return nil
		})
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
