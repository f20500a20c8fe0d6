package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// Preprocessor is what a checkpoint's preprocessor_config.json says of its pictures: value = (byte·Rescale − Mean) / Std
// for each channel, at Size × Size. The zero value is that of a network that sees no pictures.
type Preprocessor struct {
	Size    int
	Rescale float64
	Mean    [3]float64
	Std     [3]float64

	scaled scaling           // of pictures whose middle is cut out
	files  map[string][]byte // as they were read
	name   string            // of the file that counted
}

// ClipPreprocessor normalises as CLIP does: BLIP-2's checkpoints.
func ClipPreprocessor(size int) Preprocessor {
	return Preprocessor{Size: size, Rescale: 1. / 255, Mean: clipMean, Std: clipStd}
}

var clipMean, clipStd = [3]float64{.48145466, .4578275, .40821073}, [3]float64{.26862954, .26130258, .27577711}

// AdsPreprocessor maps bytes to (byte − 127.5) / 64: the networks trained by this program.
func AdsPreprocessor(size int) Preprocessor {
	return Preprocessor{Size: size, Rescale: 1. / 255, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{64. / 255, 64. / 255, 64. / 255}}
}

// The files that may hold it: processor_config.json is what transformers 5 writes, with the pictures' part inside.
const (
	preprocessorName = "preprocessor_config.json"
	processorName    = "processor_config.json"
)

// Save writes the files that it was read from, byte for byte, or else preprocessor_config.json.
func (p Preprocessor) Save(folder string) error {
	if p.Size == 0 {
		return nil
	}
	files := p.files
	if files == nil {
		data, err := json.MarshalIndent(struct {
			Type    string         `json:"image_processor_type"`
			Size    map[string]int `json:"size"`
			Rescale float64        `json:"rescale_factor"`
			Mean    [3]float64     `json:"image_mean"`
			Std     [3]float64     `json:"image_std"`
		}{"BlipImageProcessor", map[string]int{"height": p.Size, "width": p.Size}, p.Rescale, p.Mean, p.Std}, "", "  ")
		if err != nil {
			return err
		}
		files = map[string][]byte{preprocessorName: append(data, '\n')}
	}
	for name, data := range files {
		if err := disk.Write(filepath.Join(folder, name), data); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	return nil
}

// LoadPreprocessor reads the pictures' part of processor_config.json or, where it has none, preprocessor_config.json: the
// order of transformers. What a file leaves out is as in transformers' class of its image_processor_type, and what is not
// computed here is refused.
func LoadPreprocessor(folder string) (p Preprocessor, err error) {
	var data []byte
	p.files = map[string][]byte{}
	for _, name := range []string{processorName, preprocessorName} {
		path := filepath.Join(folder, name)
		text, err := textfile.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return p, fmt.Errorf("model: %w", err)
		}
		p.files[name] = text
		if name == processorName {
			if text, err = picturesPart(text); err != nil {
				return p, fmt.Errorf("model: %s: %w", path, err)
			}
		}
		if p.name == "" && text != nil {
			p.name, data = name, text
		}
	}
	if p.name == "" {
		return p, fmt.Errorf("model: %s has no %s, and no %s with an \"image_processor\" in it: %w; copy it from the checkpoint's origin",
			folder, preprocessorName, processorName, fs.ErrNotExist)
	}
	if err := p.parse(data); err != nil {
		return p, fmt.Errorf("model: %s: %w", filepath.Join(folder, p.name), err)
	}
	return p, nil
}

// picturesPart is nil where a processor_config.json, as of transformers 4, has none.
func picturesPart(text []byte) (json.RawMessage, error) {
	var whole struct {
		Pictures json.RawMessage `json:"image_processor"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, jsonFault(text, err)
	}
	return whole.Pictures, nil
}

// LoadPreprocessorFor is LoadPreprocessor for a network, whose size of pictures it must make. A decoder alone has none.
func LoadPreprocessorFor(folder string, c *Config) (Preprocessor, error) {
	if !c.Towers() {
		return Preprocessor{}, nil
	}
	p, err := LoadPreprocessor(folder)
	if err == nil {
		if err = p.fits(c); err != nil {
			err = fmt.Errorf("model: %s: %w", folder, err)
		}
	}
	return p, err
}

// fits finds out whether the network sees pictures of the size that they are made.
func (p Preprocessor) fits(c *Config) error {
	if p.Size == c.Vision.Image {
		return nil
	}
	return fmt.Errorf("the preprocessor makes pictures of %d × %[1]d, the network sees %d × %[2]d; correct %s", p.Size, c.Vision.Image, cmp.Or(p.name, preprocessorName))
}

// Pictures turns bytes [count, 3, size, size] into the normalised float32 tensor that a network reads.
func (p Preprocessor) Pictures(pixels []byte, on torch.Device) *torch.Tensor {
	x := torch.From(pixels, on, len(pixels)/(3*p.Size*p.Size), 3, p.Size, p.Size).To(torch.Float32)
	if p.Mean[0] == p.Mean[1] && p.Mean[1] == p.Mean[2] && p.Std[0] == p.Std[1] && p.Std[1] == p.Std[2] {
		return x.MulScalar(p.Rescale / p.Std[0]).AddScalar(-p.Mean[0] / p.Std[0])
	}
	scale, shift := make([]float32, 3), make([]float32, 3)
	for c := range scale {
		scale[c], shift[c] = float32(p.Rescale/p.Std[c]), float32(-p.Mean[c]/p.Std[c])
	}
	return x.Mul(torch.From(scale, on, 3, 1, 1)).Add(torch.From(shift, on, 3, 1, 1))
}
