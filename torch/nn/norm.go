package nn

import "espalier/torch"

// LayerNorm normalises over the residual width of a tower.
type LayerNorm struct {
	W, B *Param
	Eps  float64
	axis *Axis
}

// LayerNorm declares name.weight and name.bias [units of axis].
func (b *Builder) LayerNorm(name string, axis *Axis, eps float64) *LayerNorm {
	s := b.Sub(name)
	return &LayerNorm{W: s.Param("weight", Ones, axis.Dim()), B: s.Param("bias", Zeros, axis.Dim()), Eps: eps, axis: axis}
}

// Forward keeps the shape [batch, tokens, width]. Under a gate the statistics are those of the kept dimensions alone,
// as in the network that is cut to them, and the dropped ones come out as zero.
func (l *LayerNorm) Forward(x *torch.Tensor) *torch.Tensor {
	if l.axis.Gate == nil {
		return x.LayerNorm(l.W.T(), l.B.T(), l.Eps)
	}
	gate := l.axis.elementGate()
	kept := gate.SumKeep(-1)
	mean := x.Mul(gate).SumKeep(-1).Div(kept)
	centred := x.Sub(mean)
	variance := centred.Mul(centred).Mul(gate).SumKeep(-1).Div(kept)
	normal := centred.Mul(variance.AddScalar(l.Eps).Rsqrt())
	return normal.Mul(l.W.T()).Add(l.B.T()).Mul(gate)
}
