package nn

import "espalier/torch"

// Linear is x·Wᵀ + b.
type Linear struct{ W, B *Param }

// Linear declares name.weight [out, in] and name.bias [out].
func (b *Builder) Linear(name string, out, in Dim, weight Init) *Linear {
	s := b.Sub(name)
	return &Linear{W: s.Param("weight", weight, out, in), B: s.Param("bias", Zeros, out)}
}

// Forward maps [..., in] to [..., out].
func (l *Linear) Forward(x *torch.Tensor) *torch.Tensor { return x.Linear(l.W.T(), l.B.T()) }
