package pruning

import (
	"espalier/model"
	"espalier/torch"
)

// pass is a backward pass over a batch, or over a part of one: losses of the parts have the gradients that add up to the batch's.
type pass struct {
	batch *model.Batch // nil where only parameters are known
	loss  func() (*torch.Tensor, error)
}

// whole is the pass over a batch in one piece, in a scope of its own.
func (o Objective) whole(i int, f func(pass) error) error {
	return torch.Run(func(*torch.Scope) error {
		return f(pass{loss: func() (*torch.Tensor, error) { return o.Loss(i) }})
	})
}

// passes gives f the parts of a batch one after another, each in a scope of its own. Any loss can be divided so: its gradient
// along the logits is taken first, over all of them, and each part then needs its own rows of that alone.
func (s Sample) passes(n model.Network, i, pieces int, f func(pass) error) error {
	return torch.Run(func(*torch.Scope) error {
		b, err := s.Batch(i)
		if err != nil {
			return err
		}
		if pieces == 1 {
			return f(pass{b, func() (*torch.Tensor, error) { return s.Loss(i, b, n.Logits(b)), nil }})
		}
		parts := b.Parts(pieces)
		slope, err := s.slope(n, i, b, parts)
		if err != nil {
			return err
		}
		from := 0
		for _, part := range parts {
			own := slope.Slice(0, from, from+part.Targets.Size(0))
			from += part.Targets.Size(0)
			if err := torch.Run(func(*torch.Scope) error {
				return f(pass{part, func() (*torch.Tensor, error) { return n.Logits(part).To(slope.DType()).Mul(own).Sum(), nil }})
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// slope is the gradient of a batch's loss along its logits, [n, vocabulary], in float32 at least: in float16 the smallest ones
// would vanish.
func (s Sample) slope(n model.Network, i int, b *model.Batch, parts []*model.Batch) (slope *torch.Tensor, err error) {
	var rows []*torch.Tensor
	for _, part := range parts {
		err := torch.Run(func(scope *torch.Scope) error {
			torch.NoGrad(func() { rows = append(rows, n.Logits(part)) })
			scope.Keep(rows[len(rows)-1])
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	logits := torch.Cat(0, rows...)
	if d := logits.DType(); d == torch.Float16 || d == torch.BFloat16 {
		logits = logits.To(torch.Float32)
	}
	s.Loss(i, b, logits.SetRequiresGrad(true)).Backward()
	return logits.Grad(), nil
}

// forwards gives f the parts of a batch for forwards that nothing is learnt from.
func (s Sample) forwards(i, pieces int, f func(b *model.Batch)) error {
	return torch.Run(func(*torch.Scope) error {
		b, err := s.Batch(i)
		if err != nil {
			return err
		}
		for _, part := range b.Parts(pieces) {
			if err := torch.Run(func(*torch.Scope) error {
				torch.NoGrad(func() { f(part) })
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
}
