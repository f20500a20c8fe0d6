package image

import "math"

// precision is the number of fraction bits of a weight: PIL leaves 8 bits for the value and 2 for overshoot.
const precision = 32 - 8 - 2

// Resize scales to width × height, whatever the proportions were, with PIL's bicubic filter: widened when
// shrinking, so that nothing aliases. The arithmetic is that of Pillow's libImaging/Resample.c, to the bit, with
// rows first as in every Pillow up to 12 (13 starts with the columns of tall pictures, which differs where a value
// between the passes is clipped). Pillow has one exception: pictures more than a hundred times as tall as wide are
// shrunk by columns first. A picture that has the size already is returned as it is.
func (p *RGB) Resize(width, height int) *RGB {
	if p.Height > 100*p.Width && height < p.Height {
		p = p.resizeColumns(height)
	}
	if p.Width != width {
		p = p.resizeRows(width)
	}
	if p.Height != height {
		p = p.resizeColumns(height)
	}
	return p
}

// taps are the source positions and weights of one output position.
type taps struct {
	first   int
	weights []int32
}

// bicubicTaps weighs `from` source positions for each of `to` output positions. The explicit float64 conversions keep
// compilers for arm64 and others from fusing multiply and add, which would round differently.
func bicubicTaps(from, to int) []taps {
	scale := float64(from) / float64(to)
	stretch := max(scale, 1)
	support := 2 * stretch
	inverse := 1 / stretch
	all := make([]taps, to)
	for i := range all {
		center := float64((float64(i) + 0.5) * scale)
		first := max(int(center-support+0.5), 0)
		end := min(int(center+support+0.5), from)
		weights := make([]float64, end-first)
		sum := 0.0
		for k := range weights {
			weights[k] = bicubic(float64((float64(k+first) - center + 0.5) * inverse))
			sum += weights[k]
		}
		all[i] = taps{first, make([]int32, len(weights))}
		for k, w := range weights {
			if sum != 0 {
				w /= sum
			}
			all[i].weights[k] = int32(math.Copysign(0.5, w) + float64(w*(1<<precision)))
		}
	}
	return all
}

// bicubic is Keys' cubic with a = -0.5.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return float64(float64(float64(float64(float64(x-5)*x)+8)*x)-4) * a
	}
	return 0
}

func (p *RGB) resizeRows(width int) *RGB {
	out := New(width, p.Height)
	all := bicubicTaps(p.Width, width)
	for row := range 3 * p.Height { // the planes lie one after the other
		from, to := p.Pix[row*p.Width:][:p.Width], out.Pix[row*width:][:width]
		for x, t := range all {
			sum := int32(1 << (precision - 1))
			for k, v := range from[t.first:][:len(t.weights)] {
				sum += int32(v) * t.weights[k]
			}
			to[x] = clip8(int(sum >> precision))
		}
	}
	return out
}

func (p *RGB) resizeColumns(height int) *RGB {
	out := New(p.Width, height)
	all := bicubicTaps(p.Height, height)
	sums := make([]int32, p.Width)
	for c := range 3 {
		from, to := p.plane(c), out.plane(c)
		for y, t := range all {
			for x := range sums {
				sums[x] = 1 << (precision - 1)
			}
			for k, w := range t.weights { // row by row: columns would miss the cache
				for x, v := range from[(t.first+k)*p.Width:][:p.Width] {
					sums[x] += int32(v) * w
				}
			}
			for x, s := range sums {
				to[y*p.Width+x] = clip8(int(s >> precision))
			}
		}
	}
	return out
}
