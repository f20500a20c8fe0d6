package data

// adSplit is one split of the ads: its name, its own random stream, and whether it breaks the rules of the others.
type adSplit struct {
	name     string
	stream   uint64
	pictures int // by default
	ood      bool
}

var (
	adTrain      = adSplit{"train", 1, 12_000, false}
	adValidation = adSplit{"validation", 2, 400, false}
	adTest       = adSplit{"test", 3, 1_000, false}
	adOOD        = adSplit{"ood", 4, 1_000, true}
)

// heldOut: one product-and-hue pair in eight occurs in the split ood only.
func heldOut(product, hue int) bool { return (product+3*hue)%8 == 0 }

// scene is everything that is drawn by lot for one picture. The order of the draws is that of the Python
// generator that it was ported from; changing it changes every picture.
type scene struct {
	hue, product, tone, form, style, offer int
	glyph, side                            int // glyph 6: no logo
	stripTop                               bool

	background               rgb
	textureAmplitude         int32
	phase, period            int
	halftone                 uint64 // seed of style 5
	contrast                 int32  // product against background; negative: darker
	productColor             rgb
	centerY, centerX, burstY int
	stripDark, bold, italic  bool
	stripShade, textShade    int32
	textUp, textLeft         int // offsets of the slogan
	logoY, logoX             int
	logoColor                rgb
	occluded                 bool
	coverY, coverX           int
	coverHeight, coverWidth  int
	coverShade, brightness   int32
	noise                    uint64 // seed
	phrasing                 [5]int
}

// Ads says how hard the advertisements are.
type Ads struct {
	Occluded int // percent of the pictures that a block covers a part of
	Jitter   int // most that each channel of the background leaves its hue, of 255; out of distribution 8 more
}

var defaultAds = Ads{Occluded: 15, Jitter: 22}

// drawScene draws picture `index` of a split.
func drawScene(split adSplit, index int, ads Ads) scene {
	r := splitmix{mix(split.stream*0x1000003D+77) + uint64(index)*0xD1342543DE82EF95}
	s := scene{}
	for {
		s.hue, s.product = r.n(8), r.n(8)
		if heldOut(s.product, s.hue) == split.ood {
			break
		}
	}
	s.tone, s.form, s.style, s.offer = r.n(2), r.n(6), r.n(6), r.n(4)
	s.glyph, s.side = r.n(7), r.n(2)
	s.stripTop = r.n(10) < 3 && split.ood // one draw in every split
	s.drawBackground(&r, split.ood, ads.Jitter)
	s.drawProduct(&r)
	s.drawStrip(&r, split.ood)
	s.drawLogo(&r)
	s.drawDamage(&r, ads.Occluded)
	for t := range s.phrasing {
		s.phrasing[t] = r.n(2)
	}
	return s
}

func (s *scene) drawBackground(r *splitmix, ood bool, jitter int) {
	if ood {
		jitter += 8
	}
	var gain, lift int32
	if s.tone == 0 {
		gain = int32(r.span(72, 100))
	} else {
		gain, lift = int32(r.span(104, 132)), 16
	}
	for c, v := range adHues[s.hue].color {
		s.background[c] = v*gain/100 + lift + int32(r.span(-jitter, jitter))
	}
	s.textureAmplitude = int32(r.span(14, 60))
	if ood {
		s.phase, s.period = r.n(8), r.span(6, 9)
	} else {
		s.phase, s.period = r.n(2), 8 // a free phase is not learnt in minutes
	}
	if s.style == 5 {
		s.halftone = r.next()
	}
}

func (s *scene) drawProduct(r *splitmix) {
	s.contrast = -int32(r.span(45, 130))
	for c, v := range s.background {
		s.productColor[c] = clamp(v + s.contrast + int32(r.span(-20, 20)))
	}
	s.centerY, s.centerX = 24-4, 24
	if s.stripTop {
		s.centerY = 24 + 4
	}
	s.centerY += r.span(-1, 1)
	s.centerX += r.span(-1, 1)
	if s.form == 5 {
		s.burstY = s.centerY + r.span(-4, 4)
	}
}

func (s *scene) drawStrip(r *splitmix, ood bool) {
	s.stripDark = !ood || r.n(2) == 0
	s.stripShade = 225
	if s.stripDark {
		s.stripShade = 40
	}
	s.stripShade += int32(r.span(-20, 20))
	if ood {
		s.bold, s.italic = r.n(2) == 1, r.n(2) == 1
	}
	away := int32(r.span(60, 170))
	if !s.stripDark {
		away = -away
	}
	s.textShade = s.stripShade + away
	if ood {
		s.textUp, s.textLeft = r.span(-1, 1), r.span(-3, 3)
	} else {
		s.textLeft = r.n(2)
	}
}

// drawLogo puts it into a corner opposite to the strip. It is 7 pixels wide, to stay inside one 8 × 8 patch.
func (s *scene) drawLogo(r *splitmix) {
	s.logoY = r.n(2)
	if s.stripTop {
		s.logoY += adSize - 8
	}
	s.logoX = r.n(2)
	if s.side == 1 {
		s.logoX += adSize - 8
	}
	lift := int32(r.span(40, 150))
	for c, v := range s.background {
		s.logoColor[c] = clamp(v + lift)
	}
}

// drawDamage: a block over something in some pictures of 100, another brightness, noise.
func (s *scene) drawDamage(r *splitmix, occluded int) {
	if s.occluded = r.n(100) < occluded; s.occluded {
		s.coverHeight, s.coverWidth = r.span(8, 16), r.span(8, 16)
		s.coverY, s.coverX = r.n(adSize-s.coverHeight), r.n(adSize-s.coverWidth)
		s.coverShade = int32(r.span(60, 190))
	}
	s.brightness = int32(r.span(-10, 10))
	s.noise = r.next()
}
