package page

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"

	"espalier/pipeline/data"
)

const (
	mostSide         = 192       // pixels of a picture in the gallery
	lossless         = 64        // pictures up to this side are PNG
	quality          = 82        // of JPEG
	mostPictureBytes = 1_600_000 // of all pictures, as text
)

// withPictures puts the pictures into cards, as the networks saw them, until they would make the page too large.
func withPictures(cards []card, set *data.Dataset) ([]card, error) {
	if !set.HasPictures() {
		return cards, nil
	}
	total := 0
	for i := range cards {
		pixels := make([]byte, 3*set.Size*set.Size)
		if err := set.Test.Pixels(cards[i].Number-1, pixels); err != nil {
			return nil, err
		}
		url, side, err := pictureURL(pixels, set.Size)
		if err != nil {
			return nil, err
		}
		if total += len(url); total > mostPictureBytes {
			return cards[:i], nil
		}
		cards[i].Picture, cards[i].Side = url, side
	}
	return cards, nil
}

// pictureURL is a picture, planar RGB [3, size, size], as a data URL.
func pictureURL(pixels []byte, size int) (template.URL, int, error) {
	picture, plane := image.NewRGBA(image.Rect(0, 0, size, size)), size*size
	for i := range plane {
		picture.SetRGBA(i%size, i/size, color.RGBA{pixels[i], pixels[plane+i], pixels[2*plane+i], 255})
	}
	if size > mostSide {
		smaller := image.NewRGBA(image.Rect(0, 0, mostSide, mostSide))
		draw.CatmullRom.Scale(smaller, smaller.Bounds(), picture, picture.Bounds(), draw.Src, nil)
		picture, size = smaller, mostSide
	}
	var file bytes.Buffer
	kind, err := "png", error(nil)
	if size <= lossless {
		err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, picture)
	} else {
		kind, err = "jpeg", jpeg.Encode(&file, picture, &jpeg.Options{Quality: quality})
	}
	return template.URL("data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(file.Bytes())), size, err
}
