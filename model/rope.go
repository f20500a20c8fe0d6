package model

import (
	"fmt"
	"math"

	"espalier/torch"
)

// rope turns pairs of a head's dimensions by an angle that grows with the position (Su et al., 2021), in the layout of
// transformers: dimension i goes with i + size/2.
type rope struct {
	frequencies []float64 // radians a position, [size/2], each rounded to float32 as transformers has them
	exact       []float64 // the same, not rounded: for networks in float64
}

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
	factor := number("factor", 1)
	low, high := number("low_freq_factor", 1), number("high_freq_factor", 4)
	original := number("original_max_position_embeddings", float64(c.Positions))
	if kind != "" && kind != "default" && kind != "linear" && kind != "llama3" {
		return nil, fmt.Errorf("rope_parameters.rope_type %q: this program computes default, linear and llama3", kind)
	}
	frequencies := func(round func(float64) float64) []float64 {
		out := make([]float64, c.HeadSize/2)
		for i := range out {
			exponent := round(float64(2*i) / float64(c.HeadSize))
			f := round(1 / round(math.Pow(theta, exponent)))
			switch kind {
			case "linear":
				f = round(f / round(factor))
			case "llama3":
				f = round(llama3Frequency(f, factor, low, high, original))
			}
			out[i] = f
		}
		return out
	}
	return &rope{
		frequencies: frequencies(func(x float64) float64 { return float64(float32(x)) }),
		exact:       frequencies(func(x float64) float64 { return x }),
	}, nil
}

// llama3Frequency keeps fast turns, divides slow ones, and goes over smoothly between.
func llama3Frequency(f, factor, low, high, original float64) float64 {
	length := 2 * math.Pi / f
	switch {
	case length < original/high:
		return f
	case length > original/low:
		return f / factor
	}
	smooth := (original/length - low) / (high - low)
	return (1-smooth)*f/factor + smooth*f
}

// rotation is the cosines and sines of some positions, [rows or 1, heads or 1, tokens, size].
type rotation struct{ cos, sin *torch.Tensor }

// at is the rotation of all heads alike, or of those that have pairs of their own left, so many in each of the heads.
func (r *rope) at(positions *torch.Tensor, d torch.DType, pairs []int, heads int) rotation {
	frequencies, at := r.frequencies, torch.Float32
	if d == torch.Float64 {
		frequencies, at = r.exact, d
	}
	if pairs != nil {
		own := make([]float64, len(pairs))
		for i, pair := range pairs {
			own[i] = frequencies[pair]
		}
		frequencies = own
	}
	turns := torch.From(frequencies, positions.Device(), 1, heads, 1, len(frequencies)/heads).To(at)
	angles := positions.To(at).Unsqueeze(1).Unsqueeze(-1).Mul(turns)
	angles = torch.Cat(-1, angles, angles)
	return rotation{cos: angles.Cos().To(d), sin: angles.Sin().To(d)}
}

// of turns queries or keys [rows, heads, tokens, size].
func (t rotation) of(x *torch.Tensor) *torch.Tensor {
	size := x.Size(-1)
	turned := torch.Cat(-1, x.Slice(-1, size/2, size).Neg(), x.Slice(-1, 0, size/2))
	return x.Mul(t.cos).Add(turned.Mul(t.sin))
}
