package tensorboard

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"
	"sync"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The least width of a picture with its caption, the size of its letters, and the room for a line and around the text, in pixels.
const (
	leastWidth = 320
	letters    = 13
	lineHeight = 17
	margin     = 6
)

var face = sync.OnceValue(func() font.Face {
	parsed, err := opentype.Parse(goregular.TTF)
	if err == nil {
		var f font.Face
		if f, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: letters, DPI: 72, Hinting: font.HintingFull}); err == nil {
			return f
		}
	}
	panic("the font of the program cannot be read: " + err.Error()) // it is in the binary
})

// Captioned is a picture with lines of text below it, as a PNG; small ones are enlarged. Letters that the Go fonts lack are boxes.
func Captioned(picture image.Image, caption []string) (file []byte, width, height int, err error) {
	size := picture.Bounds().Size()
	times := max(1, (leastWidth+size.X-1)/size.X)
	width = size.X * times
	var lines []string
	for _, line := range caption {
		lines = append(lines, wrapped(line, width-2*margin)...)
	}
	height = size.Y*times + len(lines)*lineHeight + 2*margin
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	xdraw.NearestNeighbor.Scale(out, image.Rect(0, 0, width, size.Y*times), picture, picture.Bounds(), xdraw.Src, nil)
	pen := font.Drawer{Dst: out, Src: image.NewUniform(color.Gray{30}), Face: face()}
	for i, line := range lines {
		pen.Dot = fixed.P(margin, size.Y*times+margin+i*lineHeight+letters)
		pen.DrawString(line)
	}
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, out)
	return b.Bytes(), width, height, err
}

// wrapped breaks a line between words, and words that are wider than the room between letters.
func wrapped(line string, room int) (out []string) {
	wide := func(s string) bool { return font.MeasureString(face(), s).Ceil() > room }
	now := ""
	for _, word := range strings.Fields(line) {
		if now != "" && wide(now+" "+word) {
			out, now = append(out, now), ""
		}
		if now != "" {
			now += " "
		}
		for _, r := range word {
			if now != "" && wide(now+string(r)) {
				out, now = append(out, now), ""
			}
			now += string(r)
		}
	}
	return append(out, now)
}
