//go:build cgotorch

package main

import (
	"fmt"

	theirs "github.com/wangkuiyi/gotorch"
	theirnn "github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"

	"espalier/torch"
	"espalier/torch/gotorch"
	"espalier/torch/nn"
)

// Net is a classifier of digits in gotorch's own layers. Only the gate points in its Forward tell of espalier; without
// axes they cost nothing.
type Net struct {
	theirnn.Module
	Conv1, Conv2 *theirnn.Conv2dModule
	Norm         *theirnn.BatchNorm2dModule
	FC1, FC2     *theirnn.LinearModule
	Axes         [3]*nn.Axis
}

// sizes are the units of the three axes.
type sizes [3]int

var full = sizes{12, 24, 64}

func newNet(s sizes) *Net {
	first, second, hidden := int64(s[0]), int64(s[1]), int64(s[2])
	n := &Net{
		Conv1: theirnn.Conv2d(1, first, 3, 1, 1, 1, 1, true, "zeros"),
		Conv2: theirnn.Conv2d(first, second, 3, 1, 1, 1, 1, false, "zeros"),
		Norm:  theirnn.BatchNorm2d(second, 1e-5, .1, true, true),
		FC1:   theirnn.Linear(second*places, hidden, true),
		FC2:   theirnn.Linear(hidden, digits, true),
	}
	n.Init(n)
	return n
}

const places = (side / 4) * (side / 4) // after two poolings

// Forward maps pictures [batch, 1, side, side] to logits [batch, digits].
func (n *Net) Forward(x theirs.Tensor) theirs.Tensor {
	x = pool(F.Relu(n.Conv1.Forward(x), false))
	x = gotorch.Gated(n.Axes[0], x, 1)
	x = pool(F.Relu(n.Norm.Forward(n.Conv2.Forward(x)), false))
	x = gotorch.Gated(n.Axes[1], x, 1)
	x = F.Relu(n.FC1.Forward(theirs.Flatten(x, 1, 3)), false)
	x = gotorch.Gated(n.Axes[2], x, 1)
	return n.FC2.Forward(x)
}

func pool(x theirs.Tensor) theirs.Tensor {
	return F.MaxPool2d(x, []int64{2, 2}, []int64{2, 2}, []int64{0, 0}, []int64{1, 1}, false)
}

// declare says which dimension of which parameter belongs to which axis.
func declare(b *nn.Builder) {
	b = b.Sub("Net")
	first, second, hidden := b.Axis("first", nn.Channels, full[0]), b.Axis("second", nn.Channels, full[1]), b.Axis("hidden", nn.FFN, full[2])
	gotorch.Conv2d(b, "Conv1", first.Dim(), nn.Fixed(1), 3, true)
	gotorch.Conv2d(b, "Conv2", second.Dim(), first.Dim(), 3, false)
	gotorch.BatchNorm2d(b, "Norm", second.Dim())
	gotorch.Linear(b, "FC1", hidden.Dim(), nn.Mul(second, places), true)
	gotorch.Linear(b, "FC2", nn.Fixed(digits), hidden.Dim(), true)
}

// adopt hands the module over: the store's parameters are the module's tensors.
func adopt(n *Net) (*nn.Store, error) {
	s, err := gotorch.Adopt(n, declare)
	if err != nil {
		return nil, err
	}
	copy(n.Axes[:], s.Axes())
	return s, nil
}

// built is a new module with the sizes and the tensors of a store.
func built(s *nn.Store) (*Net, error) {
	if len(s.Axes()) != len(full) {
		return nil, fmt.Errorf("%d axes, the net has %d", len(s.Axes()), len(full))
	}
	var units sizes
	for i, a := range s.Axes() {
		units[i] = a.Units()
	}
	n := newNet(units)
	n.Train(false) // or the norm takes its statistics from each batch
	if err := gotorch.Fill(n, s); err != nil {
		return nil, err
	}
	return n, nil
}

// logits runs the module's Forward on tensors of espalier's.
func (n *Net) logits(x *torch.Tensor) *torch.Tensor { return gotorch.From(n.Forward(gotorch.To(x))) }
