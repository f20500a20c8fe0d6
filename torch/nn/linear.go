package nn

import "espalier/torch"

// Linear is x·Wᵀ + b, or x·Wᵀ where B is nil.
type Linear struct{ W, B *Param }

// Linear declares name.weight [out, in] and name.bias [out].
func (b *Builder) Linear(name string, out, in Dim, weight Init) *Linear {
	s := b.Sub(name)
	return &Linear{W: s.Param("weight", weight, out, in), B: s.Param("bias", Zeros, out)}
}

// LinearNoBias declares name.weight [out, in] alone.
func (b *Builder) LinearNoBias(name string, out, in Dim, weight Init) *Linear {
	return &Linear{W: b.Sub(name).Param("weight", weight, out, in)}
}

// LinearIf is Linear where a config asks for a bias, else LinearNoBias.
func (b *Builder) LinearIf(bias bool, name string, out, in Dim, weight Init) *Linear {
	if bias {
		return b.Linear(name, out, in, weight)
	}
	return b.LinearNoBias(name, out, in, weight)
}

// Forward maps [..., in] to [..., out].
func (l *Linear) Forward(x *torch.Tensor) *torch.Tensor { return x.Linear(l.W.T(), l.B.T()) }
