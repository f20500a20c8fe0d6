package data

// adSize is the side of an advertisement, pixels.
const adSize = 48

// rgb is a colour in whole levels; it may leave 0 … 255 until the picture is finished.
type rgb [3]int32

func grey(v int32) rgb { return rgb{v, v, v} }

func clamp(v int32) int32 { return min(max(v, 0), 255) }

func (c rgb) plus(v int32) rgb { return rgb{c[0] + v, c[1] + v, c[2] + v} }

func (c rgb) clamped() rgb { return rgb{clamp(c[0]), clamp(c[1]), clamp(c[2])} }

// opaque is the alpha of paint that covers fully.
const opaque = 256

// canvas is a picture being drawn, planar. The arithmetic is all in integers, so that every machine and
// language draws the same bytes.
type canvas [3][adSize * adSize]int32

func (c *canvas) fill(color rgb) {
	for k := range c {
		for i := range c[k] {
			c[k][i] = color[k]
		}
	}
}

// add changes all pixels by a value that depends on the place.
func (c *canvas) add(value func(y, x int) int32) {
	for y := range adSize {
		for x := range adSize {
			v := value(y, x)
			for k := range c {
				c[k][y*adSize+x] += v
			}
		}
	}
}

// blend mixes colour into one pixel; alpha is in 256ths. The shift rounds towards minus infinity, as Python's // does.
func (c *canvas) blend(i int, color rgb, alpha int32) {
	for k := range c {
		c[k][i] += (color[k] - c[k][i]) * alpha >> 8
	}
}

// paint blends colour in where the bitmap is set; its top left corner is at (y, x). What lies outside is left out.
func (c *canvas) paint(b bitmap, y, x int, color rgb, alpha int32) {
	for by := max(0, -y); by < min(b.height, adSize-y); by++ {
		for bx := max(0, -x); bx < min(b.width, adSize-x); bx++ {
			if b.set[by*b.width+bx] {
				c.blend((y+by)*adSize+x+bx, color, alpha)
			}
		}
	}
}

// rect blends colour into rows y0 … y1-1 and columns x0 … x1-1.
func (c *canvas) rect(y0, x0, y1, x1 int, color rgb, alpha int32) {
	for y := max(0, y0); y < min(adSize, y1); y++ {
		for x := max(0, x0); x < min(adSize, x1); x++ {
			c.blend(y*adSize+x, color, alpha)
		}
	}
}

// disc covers the pixels whose squared distance from (cy, cx) is at most r2.
func (c *canvas) disc(cy, cx, r2 int, color rgb) {
	for y := range adSize {
		for x := range adSize {
			if (y-cy)*(y-cy)+(x-cx)*(x-cx) <= r2 {
				c.blend(y*adSize+x, color, opaque)
			}
		}
	}
}

// noiseAt is one of a field of independent values in [-amplitude, amplitude], told by a counter: index counts
// colours first, then columns, then rows.
func noiseAt(seed uint64, index int, amplitude int32) int32 {
	z := mix(seed + (uint64(index)+1)*golden)
	return int32(z>>33%uint64(2*amplitude+1)) - amplitude
}

// store writes the finished picture, planar [3, adSize, adSize].
func (c *canvas) store(dst []uint8) {
	for k := range c {
		out := dst[k*adSize*adSize:][:adSize*adSize]
		for i, v := range c[k] {
			out[i] = uint8(clamp(v))
		}
	}
}
