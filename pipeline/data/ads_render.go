package data

// render draws the scene into dst, planar [3, adSize, adSize].
func (s *scene) render(dst []uint8, ood bool) {
	var c canvas
	c.fill(s.background)
	s.renderTexture(&c)
	s.renderProduct(&c)
	s.renderStrip(&c)
	if s.glyph < len(adGlyphBitmaps) {
		c.paint(adGlyphBitmaps[s.glyph].scaled(7), s.logoY, s.logoX, s.logoColor, opaque)
	}
	if s.occluded {
		c.rect(s.coverY, s.coverX, s.coverY+s.coverHeight, s.coverX+s.coverWidth, grey(s.coverShade), opaque)
	}
	amplitude := int32(10)
	if ood {
		amplitude = 16
	}
	for k := range c {
		for i := range c[k] {
			c[k][i] += s.brightness + noiseAt(s.noise, 3*i+k, amplitude)
		}
	}
	c.store(dst)
}

// renderTexture lays the design style over the background. Its phase runs one half as fast downwards.
func (s *scene) renderTexture(c *canvas) {
	where := func(on bool) int32 {
		if on {
			return s.textureAmplitude
		}
		return 0
	}
	period, half, down := s.period, s.period/2, s.phase/2
	switch s.style {
	case 1: // stripes
		c.add(func(y, x int) int32 { return where((x+y+s.phase)%period < half) })
	case 2: // dots
		c.add(func(y, x int) int32 {
			dx, dy := (x+s.phase)%period-half, (y+down)%period-half
			return where(dx*dx+dy*dy <= 5)
		})
	case 3: // checks
		c.add(func(y, x int) int32 { return where(((x+s.phase)/period+(y+down)/period)%2 == 0) })
	case 4: // gradient; floor division, as in Python
		c.add(func(y, _ int) int32 { return floorDiv(int32(y-adSize/2)*s.textureAmplitude*2, adSize) })
	case 5: // halftone: noise in squares of two pixels
		c.add(func(y, x int) int32 { return noiseAt(s.halftone, 3*((y&^1)*adSize+(x&^1)), s.textureAmplitude) })
	}
}

func floorDiv(a, b int32) int32 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// renderProduct shows the product in the scene's form.
func (s *scene) renderProduct(c *canvas) {
	put := func(size, y, x int) {
		c.paint(adProductBitmaps[s.product].scaled(size), y-size/2, x-size/2, s.productColor, opaque)
	}
	cy, cx := s.centerY, s.centerX
	switch s.form {
	case 0: // single product
		put(24, cy, cx)
	case 1: // pair
		put(17, cy, cx-10)
		put(17, cy, cx+10)
	case 2: // grid
		for _, dy := range []int{-8, 8} {
			for _, dx := range []int{-9, 9} {
				put(13, cy+dy, cx+dx)
			}
		}
	case 3: // before and after
		c.rect(0, 24, adSize, adSize, s.background.plus(45).clamped(), 150)
		put(17, cy, 12)
		put(17, cy, 36)
	case 4: // framed card
		s.renderFrame(c)
		put(20, cy, cx)
	default: // price burst
		put(21, cy, cx-4)
		c.disc(s.burstY, cx+13, 36, rgb{235, 60, 40})
		c.disc(s.burstY, cx+13, 9, rgb{250, 230, 80})
	}
}

func (s *scene) renderFrame(c *canvas) {
	color := s.background.plus(-s.contrast).clamped()
	for t := range 2 {
		y0, y1 := s.centerY-14+t, s.centerY+14-t
		x0, x1 := s.centerX-17+t, s.centerX+17-t
		c.rect(y0, x0, y0+1, x1, color, opaque)
		c.rect(y1-1, x0, y1, x1, color, opaque)
		c.rect(y0, x0, y1, x0+1, color, opaque)
		c.rect(y0, x1-1, y1, x1, color, opaque)
	}
}

// renderStrip writes the slogan on its strip.
func (s *scene) renderStrip(c *canvas) {
	top := adSize - 10
	if s.stripTop {
		top = 0
	}
	c.rect(top, 0, top+10, adSize, grey(s.stripShade), 200)
	text := slogan(adSlogans[s.offer], s.bold, s.italic)
	c.paint(text, top+2+s.textUp, (adSize-text.width)/2+s.textLeft, grey(s.textShade), opaque)
}
