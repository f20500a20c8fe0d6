package model

import (
	"math"

	"espalier/torch"
	"espalier/torch/nn"
)

var activations = map[string]func(*torch.Tensor) *torch.Tensor{
	"gelu":              func(x *torch.Tensor) *torch.Tensor { return x.GELU(false) },
	"gelu_new":          func(x *torch.Tensor) *torch.Tensor { return x.GELU(true) },
	"gelu_pytorch_tanh": func(x *torch.Tensor) *torch.Tensor { return x.GELU(true) },
	"relu":              (*torch.Tensor).ReLU,
	"silu":              (*torch.Tensor).SiLU,
	"swish":             (*torch.Tensor).SiLU,
}

// The first values are those with which the small networks of this program learn (docs/decisions.md); for a loaded
// checkpoint they do not matter.
var (
	weightInit    = nn.FanIn(.6)
	routingInit   = nn.FanIn(2) // queries and keys of cross-attention: uniform attention is a long plateau
	embeddingInit = nn.Normal(.1)
)

func attentionScale(headSize int) float64 { return 1 / math.Sqrt(float64(headSize)) }

// feedForward is fc2(act(fc1(x))), or with a gate fc2(act(gate(x)) · fc1(x)).
type feedForward struct {
	ffn            *nn.Axis
	gate, up, down *nn.Linear // gate may be nil
	act            func(*torch.Tensor) *torch.Tensor
	wide           bool // a float16 down is computed in float32: what T5 adds to its residual stream goes beyond 65504
}

func newFeedForward(b *nn.Builder, axis, up, down string, hidden *nn.Axis, width int, act string, bias bool) feedForward {
	ffn := b.Axis(axis, nn.FFN, width)
	return feedForward{
		ffn:  ffn,
		up:   b.LinearIf(bias, up, ffn.Dim(), hidden.Dim(), weightInit),
		down: b.LinearIf(bias, down, hidden.Dim(), ffn.Dim(), weightInit),
		act:  activations[act],
	}
}

// newGatedFeedForward declares the form of T5 and LLaMA; gate is "" for T5's form without one.
func newGatedFeedForward(b *nn.Builder, gate, up, down string, hidden *nn.Axis, width int, act string, bias bool) feedForward {
	ffn := b.Axis("ffn", nn.FFN, width)
	f := feedForward{
		ffn:  ffn,
		up:   b.LinearIf(bias, up, ffn.Dim(), hidden.Dim(), weightInit),
		down: b.LinearIf(bias, down, hidden.Dim(), ffn.Dim(), weightInit),
		act:  activations[act],
	}
	if gate != "" {
		f.gate = b.LinearIf(bias, gate, ffn.Dim(), hidden.Dim(), weightInit)
	}
	return f
}

func (f feedForward) Forward(x *torch.Tensor) *torch.Tensor {
	up := f.up.Forward(x)
	if f.gate == nil {
		x = f.ffn.Gated(f.act(up))
	} else {
		x = f.ffn.Gated(f.act(f.gate.Forward(x)).Mul(up))
	}
	if f.wide && f.down.W.DType() == torch.Float16 {
		x = x.To(torch.Float32)
	}
	return f.down.Forward(x)
}

// watched tells whether a gate or an observer sits where the last layer of a decoder would meet it: then that layer must
// compute every token.
func watched(hidden, stack *nn.Axis, attention *nn.Attention, ffn *nn.Axis) bool {
	return hidden.Watched() || stack.Watched() || attention.Watched() || ffn.Watched()
}
