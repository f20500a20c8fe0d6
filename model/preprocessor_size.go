package model

import (
	"encoding/json"
	"fmt"

	"espalier/model/image"
)

// scaling is how a picture is resized before its middle is cut out: to a shorter edge, its proportions kept, or to a height
// and a width. The zero scaling is to the network's square itself, with nothing to cut.
type scaling struct{ shortest, height, width int }

// maxSide bounds the sizes of a file: no network sees more.
const maxSide = 1 << 14

// sizes is the side of the square that a network gets, and the way there.
func (f preprocessorFile) sizes(kind imageProcessor) (int, scaling, error) {
	text := f.Size
	if isNull(text) {
		text = json.RawMessage(kind.size)
	}
	to, err := parseSize("size", text, or(f.Square, kind.square))
	if err != nil {
		return 0, scaling{}, err
	}
	if !or(f.DoCrop, kind.crop != "") {
		if to.shortest > 0 || to.height != to.width {
			return 0, scaling{}, fmt.Errorf("size is %.80s, want a square: {\"height\": 224, \"width\": 224}", text)
		}
		return to.height, scaling{}, nil
	}
	crop := f.CropSize
	if isNull(crop) {
		crop = json.RawMessage(kind.crop)
	}
	if len(crop) == 0 {
		return 0, scaling{}, fmt.Errorf("do_center_crop is true, and there is no crop_size")
	}
	cut, err := parseSize("crop_size", crop, true)
	switch {
	case err != nil:
		return 0, scaling{}, err
	case cut.shortest > 0 || cut.height != cut.width:
		return 0, scaling{}, fmt.Errorf("crop_size is %.80s, want a square: {\"height\": 224, \"width\": 224}", crop)
	case to.shortest > 0 && to.shortest < cut.height, to.shortest == 0 && min(to.height, to.width) < cut.height:
		return 0, scaling{}, fmt.Errorf("crop_size %.80s is more than is left at size %.80s; black borders are not made here", crop, text)
	case to.height == cut.height && to.width == cut.width:
		return cut.height, scaling{}, nil
	}
	return cut.height, to, nil
}

// parseSize reads the forms in which transformers writes a size.
func parseSize(key string, data json.RawMessage, square bool) (s scaling, err error) {
	var one int
	var two []int
	sides := map[string]*int{}
	switch {
	case json.Unmarshal(data, &one) == nil && square:
		s = scaling{height: one, width: one}
	case json.Unmarshal(data, &one) == nil:
		s = scaling{shortest: one}
	case json.Unmarshal(data, &two) == nil && len(two) == 2:
		s = scaling{height: two[0], width: two[1]}
	case json.Unmarshal(data, &sides) == nil:
		for name, n := range sides {
			switch {
			case n == nil:
			case name == "height":
				s.height = *n
			case name == "width":
				s.width = *n
			case name == "shortest_edge":
				s.shortest = *n
			default:
				return s, fmt.Errorf("%s has the key %.40q, which is not computed here; height and width are, and shortest_edge", key, name)
			}
		}
	}
	if s.shortest > 0 {
		s.height, s.width = 0, 0 // transformers looks at the edge first
	}
	if n := max(s.shortest, min(s.height, s.width)); n < 1 || max(s.shortest, s.height, s.width) > maxSide {
		return s, fmt.Errorf("%s is %.80s, want {\"height\": 224, \"width\": 224} with numbers from 1 to %d", key, data, maxSide)
	}
	return s, nil
}

// Crops tells whether the middle of pictures is cut out, instead of pictures being squeezed to squares.
func (p Preprocessor) Crops() bool { return p.scaled != scaling{} }

// Picture makes a picture one of Size × Size, bytes [3, Size, Size].
func (p Preprocessor) Picture(rgb *image.RGB) ([]uint8, error) {
	if !p.Crops() {
		return rgb.Resize(p.Size, p.Size).Pix, nil
	}
	height, width := p.scaled.height, p.scaled.width
	if s := p.scaled.shortest; s > 0 { // transformers' get_resize_output_image_size
		height, width = s*rgb.Height/min(rgb.Width, rgb.Height), s*rgb.Width/min(rgb.Width, rgb.Height)
	}
	if width > image.MaxPixels/height {
		return nil, fmt.Errorf("a picture of %d × %d would have %d × %d pixels before its middle is cut out, more than the cap of %d; make it less narrow",
			rgb.Width, rgb.Height, width, height, image.MaxPixels)
	}
	scaled := rgb.Resize(width, height)
	out := image.New(p.Size, p.Size)
	left, top := (width-p.Size)/2, (height-p.Size)/2
	for row := range 3 * p.Size { // the planes lie one after the other
		from := (row/p.Size*height+top+row%p.Size)*width + left
		copy(out.Pix[row*p.Size:][:p.Size], scaled.Pix[from:])
	}
	return out.Pix, nil
}
