package data

import "math"

// Vary says how far training pictures are changed, by lot, each time that they are seen. Every change keeps the hue of what it
// changes, and none mirrors the picture: answers name colours and texts. The zero value changes nothing.
type Vary struct {
	Shift      float64 // most that a picture is moved in each direction, as a share of its side; in whole pixels, so that it stays sharp
	Scale      float64 // most that its size changes, a fraction below 1
	Brightness float64 // most that is added to all channels, as a share of white
	Contrast   float64 // most that distances from the picture's mean grey change, a fraction
	Saturation float64 // most that distances from a pixel's own grey change, a fraction
	Noise      float64 // most that is added to single pixels, as a share of white; in all channels alike
	Erase      float64 // share of the pictures in which a patch gets the picture's mean colour
	EraseSide  float64 // most that the patch is long and wide, as a share of the picture's side
}

// varied is everything that is drawn by lot for one picture. A change whose range is 0 takes its numbers all the same, so that
// ranges do not move each other's draws.
type varied struct {
	dx, dy                      int
	scale, contrast, saturation int // of one
	brightness                  int // levels of 255
	noise                       int // levels of 255
	noiseSeed                   uint64
	erased                      bool
	eraseHeight, eraseWidth     int
	eraseUp, eraseLeft          float64 // shares of the room that is left
}

// one is 1 as a fixed-point number: integers give the same pictures on every processor.
const one = 1 << 16

// varyStream keeps these numbers apart from those of [Order] with the same seed.
const varyStream = 0x5A17ED

// Picture changes one picture, planar RGB [3, size, size]: the one at this place of the order that a training sees, which a
// training that goes on reaches again. The result depends on the arguments alone.
func (v Vary) Picture(pixels []uint8, size int, seed uint64, place int) {
	if v == (Vary{}) {
		return
	}
	r := splitmix{mix(seed^varyStream) + mix(uint64(place))}
	d := v.draw(&r, size)
	d.move(pixels, size)
	d.colour(pixels, size)
	d.erase(pixels, size)
	d.grain(pixels, size)
}

func (v Vary) draw(r *splitmix, size int) varied {
	around := func(most, of float64) int { return int(math.Round((2*r.unit() - 1) * most * of)) }
	upTo := func(most, of float64) int { return int(math.Round(r.unit() * most * of)) }
	side := float64(size)
	return varied{
		dx: around(v.Shift, side), dy: around(v.Shift, side),
		scale: one + around(v.Scale, one), contrast: one + around(v.Contrast, one), saturation: one + around(v.Saturation, one),
		brightness: around(v.Brightness, 255),
		noise:      upTo(v.Noise, 255), noiseSeed: r.next(),
		erased:      r.unit() < v.Erase,
		eraseHeight: upTo(v.EraseSide, side), eraseWidth: upTo(v.EraseSide, side),
		eraseUp: r.unit(), eraseLeft: r.unit(),
	}
}

// move shifts and scales about the middle. What comes in at an edge repeats the edge; positions between pixels are mixed from
// the four around them.
func (d *varied) move(pixels []uint8, size int) {
	if d.dx == 0 && d.dy == 0 && d.scale == one {
		return
	}
	columns, rows := d.sources(size, d.dx), d.sources(size, d.dy)
	from := make([]uint8, size*size)
	for c := range 3 {
		plane := pixels[c*size*size : (c+1)*size*size]
		copy(from, plane)
		for y, row := range rows {
			up, down := from[row.at*size:], from[row.next*size:]
			for x, col := range columns {
				top := int(up[col.at])*(256-col.weight) + int(up[col.next])*col.weight
				bottom := int(down[col.at])*(256-col.weight) + int(down[col.next])*col.weight
				plane[y*size+x] = uint8((top*(256-row.weight) + bottom*row.weight + 1<<15) >> 16)
			}
		}
	}
}

// source is where a row or column comes from: two neighbours, and the weight of the second in parts of 256.
type source struct{ at, next, weight int }

func (d *varied) sources(size, shift int) []source {
	out := make([]source, size)
	for i := range out {
		// About the middle: (i − shift − (size−1)/2) / scale + (size−1)/2.
		place := (2*(i-shift)+1-size)*one*one/d.scale/2 + (size-1)*one/2
		place = min(max(place, 0), (size-1)*one)
		at := place / one
		out[i] = source{at, min(at+1, size-1), place % one >> 8}
	}
	return out
}

// luma is a pixel's grey, as JPEG reckons it.
func luma(r, g, b int) int { return (299*r + 587*g + 114*b + 500) / 1000 }

// colour changes brightness, contrast and saturation: the same is added to all channels, or their distances from one grey are
// multiplied, which both keep the hue. Where a channel would leave the scale, the distances shrink until it does not.
func (d *varied) colour(pixels []uint8, size int) {
	if d.brightness == 0 && d.contrast == one && d.saturation == one {
		return
	}
	n := size * size
	red, green, blue := pixels[:n], pixels[n:2*n], pixels[2*n:3*n]
	sum := 0
	for i := range n {
		sum += luma(int(red[i]), int(green[i]), int(blue[i]))
	}
	mean, spread := sum/n, d.contrast*d.saturation/one
	for i := range n {
		r, g, b := int(red[i]), int(green[i]), int(blue[i])
		grey := luma(r, g, b)
		high, low := max(r, g, b)-grey, grey-min(r, g, b)
		to := min(max(mean+(grey-mean)*d.contrast/one+d.brightness, 0), 255)
		factor := spread
		if high > 0 {
			factor = min(factor, (255-to)*one/high)
		}
		if low > 0 {
			factor = min(factor, to*one/low)
		}
		for _, c := range []*uint8{&red[i], &green[i], &blue[i]} {
			*c = uint8(to + ((int(*c)-grey)*factor+one/2)>>16)
		}
	}
}

// erase lays a patch of the mean colour over a part of the picture.
func (d *varied) erase(pixels []uint8, size int) {
	if !d.erased {
		return
	}
	top, left := int(d.eraseUp*float64(size-d.eraseHeight+1)), int(d.eraseLeft*float64(size-d.eraseWidth+1))
	for c := range 3 {
		plane := pixels[c*size*size : (c+1)*size*size]
		sum := 0
		for _, v := range plane {
			sum += int(v)
		}
		mean := uint8(sum / len(plane))
		for y := top; y < top+d.eraseHeight; y++ {
			for x := left; x < left+d.eraseWidth; x++ {
				plane[y*size+x] = mean
			}
		}
	}
}

// grain adds noise, the same to all channels of a pixel and never more than all of them have room for: a grey picture stays
// grey.
func (d *varied) grain(pixels []uint8, size int) {
	if d.noise == 0 {
		return
	}
	n := size * size
	r := splitmix{d.noiseSeed}
	for i := range n {
		low, high := -int(min(pixels[i], pixels[n+i], pixels[2*n+i])), 255-int(max(pixels[i], pixels[n+i], pixels[2*n+i]))
		add := min(max(r.below(2*d.noise+1)-d.noise, low), high)
		for k := i; k < 3*n; k += n {
			pixels[k] = uint8(int(pixels[k]) + add)
		}
	}
}
