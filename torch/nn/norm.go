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
	x = l.forward(x)
	l.axis.measure(x, -1, 1)
	return x
}

func (l *LayerNorm) forward(x *torch.Tensor) *torch.Tensor {
	if l.axis.Gate == nil {
		return x.LayerNorm(l.W.T(), l.B.T(), l.Eps)
	}
	gate := elementGate(l.axis.Gate, l.axis.block)
	kept := gate.SumKeep(-1)
	mean := x.Mul(gate).SumKeep(-1).Div(kept)
	centred := x.Sub(mean)
	variance := centred.Mul(centred).Mul(gate).SumKeep(-1).Div(kept)
	normal := centred.Mul(variance.AddScalar(l.Eps).Rsqrt())
	return normal.Mul(l.W.T()).Add(l.B.T()).Mul(gate).To(x.DType())
}

// RMSNorm divides by the root of the mean square over the residual width of a tower (Zhang and Sennrich, 2019).
type RMSNorm struct {
	W    *Param
	Eps  float64
	axis *Axis
}

// RMSNorm declares name.weight [units of axis].
func (b *Builder) RMSNorm(name string, axis *Axis, eps float64) *RMSNorm {
	return &RMSNorm{W: b.Sub(name).Param("weight", Ones, axis.Dim()), Eps: eps, axis: axis}
}

// Forward keeps the shape [batch, tokens, width]. The mean square of halves is taken in float32. Under a gate it is that
// of the kept dimensions alone, and the dropped ones come out as zero.
func (l *RMSNorm) Forward(x *torch.Tensor) *torch.Tensor {
	x = l.forward(x)
	l.axis.measure(x, -1, 1)
	return x
}

func (l *RMSNorm) forward(x *torch.Tensor) *torch.Tensor {
	d := x.DType()
	if d.IsHalf() {
		x = x.To(torch.Float32)
	}
	var mean *torch.Tensor
	if l.axis.Gate == nil {
		mean = x.Mul(x).MeanKeep(-1)
	} else {
		gate := elementGate(l.axis.Gate, l.axis.block)
		x = x.Mul(gate)
		mean = x.Mul(x).SumKeep(-1).Div(gate.SumKeep(-1))
	}
	return x.Mul(mean.AddScalar(l.Eps).Rsqrt()).To(d).Mul(l.W.T())
}
