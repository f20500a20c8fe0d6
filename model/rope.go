package model

import (
	"fmt"
	"math"

	"espalier/torch"
)

// rope turns pairs of a head's dimensions by an angle that grows with the position (Su et al., 2021), in the layout of
// transformers: dimension i goes with i + size/2.
type rope struct{ frequencies []float32 } // radians a position, [size/2]

// newRope takes rope_parameters: the plain form, "linear" (positions divided by factor) and "llama3" (low frequencies
// divided, with a soft border).
func newRope(c *TextConfig) (*rope, error) {
	number := func(key string, otherwise float64) float64 {
		if v, ok := c.Rope[key].(float64); ok {
			return v
		}
		return otherwise
	}
	kind, _ := c.Rope["rope_type"].(string)
	theta := number("rope_theta", 10000)
	r := &rope{frequencies: make([]float32, c.HeadSize/2)}
	for i := range r.frequencies {
		// float32 where transformers has it, so that angles of late positions agree
		exponent := float32(2*i) / float32(c.HeadSize)
		r.frequencies[i] = 1 / float32(math.Pow(theta, float64(exponent)))
	}
	factor := number("factor", 1)
	switch kind {
	case "", "default":
	case "linear":
		for i := range r.frequencies {
			r.frequencies[i] /= float32(factor)
		}
	case "llama3":
		low, high := number("low_freq_factor", 1), number("high_freq_factor", 4)
		original := number("original_max_position_embeddings", float64(c.Positions))
		for i, f := range r.frequencies {
			r.frequencies[i] = llama3Frequency(float64(f), factor, low, high, original)
		}
	default:
		return nil, fmt.Errorf("rope_parameters.rope_type %q: this program computes default, linear and llama3", kind)
	}
	return r, nil
}

// llama3Frequency keeps fast turns, divides slow ones, and goes over smoothly between.
func llama3Frequency(f, factor, low, high, original float64) float32 {
	length := 2 * math.Pi / f
	switch {
	case length < original/high:
		return float32(f)
	case length > original/low:
		return float32(f / factor)
	}
	smooth := (original/length - low) / (high - low)
	return float32((1-smooth)*f/factor + smooth*f)
}

// rotation is the cosines and sines of some positions, [rows or 1, 1, tokens, size].
type rotation struct{ cos, sin *torch.Tensor }

func (r *rope) at(positions *torch.Tensor, d torch.DType) rotation {
	angles := positions.To(torch.Float32).Unsqueeze(-1).Mul(torch.From(r.frequencies, positions.Device(), 1, 1, len(r.frequencies)))
	angles = torch.Cat(-1, angles, angles).Unsqueeze(1)
	return rotation{cos: angles.Cos().To(d), sin: angles.Sin().To(d)}
}

// of turns queries or keys [rows, heads, tokens, size].
func (t rotation) of(x *torch.Tensor) *torch.Tensor {
	size := x.Size(-1)
	turned := torch.Cat(-1, x.Slice(-1, size/2, size).Neg(), x.Slice(-1, 0, size/2))
	return x.Mul(t.cos).Add(turned.Mul(t.sin))
}
