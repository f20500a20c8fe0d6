package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// preprocessorFile is preprocessor_config.json. A key of a step that is not computed here is read to refuse it.
type preprocessorFile struct {
	Type      string          `json:"image_processor_type"`
	OldType   string          `json:"feature_extractor_type"`
	Size      json.RawMessage `json:"size"`
	Square    *bool           `json:"default_to_square"` // what one number means
	CropSize  json.RawMessage `json:"crop_size"`
	Rescale   *float64        `json:"rescale_factor"`
	Mean      json.RawMessage `json:"image_mean"`
	Std       json.RawMessage `json:"image_std"`
	Resample  *int            `json:"resample"`
	DoResize  *bool           `json:"do_resize"`
	DoCrop    *bool           `json:"do_center_crop"`
	DoRescale *bool           `json:"do_rescale"`
	DoNorm    *bool           `json:"do_normalize"`
	DoPad     bool            `json:"do_pad"`
	Offset    bool            `json:"rescale_offset"`
	OldOffset bool            `json:"offset"`
}

// resamplings are PIL's.
var resamplings = []string{"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"}

const bicubic = 3

// imageProcessor is what a class of transformers' does unless the file says otherwise. All take the steps of its
// PilBackend: resize, crop, rescale, normalize.
type imageProcessor struct {
	size      string
	square    bool // one number is both sides, not the shorter one
	crop      string
	resample  int
	mean, std [3]float64
}

var (
	half            = [3]float64{.5, .5, .5}
	imageProcessors = map[string]imageProcessor{
		"BlipImageProcessor":   {`{"height": 384, "width": 384}`, true, "", bicubic, clipMean, clipStd},
		"CLIPImageProcessor":   {`{"shortest_edge": 224}`, false, "224", bicubic, clipMean, clipStd},
		"SiglipImageProcessor": {`{"height": 224, "width": 224}`, false, "", bicubic, half, half},
		"ViTImageProcessor":    {`{"height": 224, "width": 224}`, true, "", 2, half, half},
	}
)

// kind is the class that reads the file.
func (f preprocessorFile) kind() (imageProcessor, error) {
	name := f.Type
	if name == "" {
		name = strings.ReplaceAll(f.OldType, "FeatureExtractor", "ImageProcessor")
	}
	if name == "" {
		name = "BlipImageProcessor" // what transformers takes for a BLIP-2
	}
	kind, ok := imageProcessors[strings.TrimSuffix(strings.TrimSuffix(name, "Fast"), "Pil")]
	if !ok {
		return kind, fmt.Errorf("image_processor_type is %.60q, whose steps are not computed here; those of BlipImageProcessor, CLIPImageProcessor, "+
			"SiglipImageProcessor and ViTImageProcessor are", name)
	}
	return kind, nil
}

// refused finds the steps that are not computed here.
func (f preprocessorFile) refused(resample int) error {
	switch {
	case resample != bicubic:
		name := "unknown"
		if resample >= 0 && resample < len(resamplings) {
			name = resamplings[resample]
		}
		return fmt.Errorf("resample is %d (%s), only bicubic resizing (3) is computed here", resample, name)
	case f.DoResize != nil && !*f.DoResize:
		return errors.New("do_resize is false, but a network sees pictures of one size; set it to true")
	case f.DoPad:
		return errors.New("do_pad is true, which is not computed here: pictures are resized to the network's size; set it to false")
	case f.Offset || f.OldOffset:
		return errors.New("rescale_offset (or offset) is true, which is not computed here; write it into image_mean, and set it to false")
	}
	return nil
}

// parse reads what the file says of the pictures.
func (p *Preprocessor) parse(data []byte) error {
	var f preprocessorFile
	if err := json.Unmarshal(data, &f); err != nil {
		return jsonFault(data, err)
	}
	kind, err := f.kind()
	if err != nil {
		return err
	}
	if err := f.refused(or(f.Resample, kind.resample)); err != nil {
		return err
	}
	if p.Mean, err = channels("image_mean", f.Mean, kind.mean); err != nil {
		return err
	}
	if p.Std, err = channels("image_std", f.Std, kind.std); err != nil {
		return err
	}
	p.Rescale = or(f.Rescale, 1./255)
	if !or(f.DoRescale, true) {
		p.Rescale = 1
	}
	if !or(f.DoNorm, true) {
		p.Mean, p.Std = [3]float64{}, [3]float64{1, 1, 1}
	}
	if p.Rescale == 0 || slices.Contains(p.Std[:], 0) {
		return fmt.Errorf("rescale_factor %g and image_std %v must not be zero", p.Rescale, p.Std)
	}
	p.Size, p.scaled, err = f.sizes(kind)
	return err
}

// channels is a number for each of red, green and blue, or one for all.
func channels(key string, data json.RawMessage, unless [3]float64) ([3]float64, error) {
	if isNull(data) {
		return unless, nil
	}
	var one float64
	if json.Unmarshal(data, &one) == nil {
		return [3]float64{one, one, one}, nil
	}
	var list []float64
	if err := json.Unmarshal(data, &list); err != nil || len(list) != 3 && len(list) != 1 {
		return unless, fmt.Errorf("%s is %.80s; give a number for each of red, green and blue", key, data)
	}
	return [3]float64{list[0], list[len(list)/2], list[len(list)-1]}, nil
}

func isNull(data json.RawMessage) bool { return len(data) == 0 || string(data) == "null" }

func or[T any](given *T, unless T) T {
	if given == nil {
		return unless
	}
	return *given
}
