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
}

// The first values are those with which the small networks of this program learn (docs/decisions.md); for a loaded
// checkpoint they do not matter.
var (
	weightInit    = nn.FanIn(.6)
	routingInit   = nn.FanIn(2) // queries and keys of cross-attention: uniform attention is a long plateau
	embeddingInit = nn.Normal(.1)
)

func attentionScale(headSize int) float64 { return 1 / math.Sqrt(float64(headSize)) }

// feedForward is fc2(act(fc1(x))).
type feedForward struct {
	ffn      *nn.Axis
	up, down *nn.Linear
	act      func(*torch.Tensor) *torch.Tensor
}

func newFeedForward(b *nn.Builder, up, down string, hidden *nn.Axis, width int, act string) feedForward {
	ffn := b.Axis("ffn", nn.FFN, width)
	return feedForward{
		ffn:  ffn,
		up:   b.Linear(up, ffn.Dim(), hidden.Dim(), weightInit),
		down: b.Linear(down, hidden.Dim(), ffn.Dim(), weightInit),
		act:  activations[act],
	}
}

func (f feedForward) Forward(x *torch.Tensor) *torch.Tensor {
	return f.down.Forward(f.ffn.Gated(f.act(f.up.Forward(x))))
}
