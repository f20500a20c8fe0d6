package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"espalier/torch"
)

// Preprocessor is what a checkpoint's preprocessor_config.json says of its pictures: value = (byte·Rescale − Mean) / Std
// for each channel, at Size × Size.
type Preprocessor struct {
	Size    int
	Rescale float64
	Mean    [3]float64
	Std     [3]float64

	files map[string][]byte // as they were read
}

// ClipPreprocessor normalises as CLIP does: BLIP-2's checkpoints.
func ClipPreprocessor(size int) Preprocessor {
	return Preprocessor{Size: size, Rescale: 1. / 255,
		Mean: [3]float64{.48145466, .4578275, .40821073}, Std: [3]float64{.26862954, .26130258, .27577711}}
}

// AdsPreprocessor maps bytes to (byte − 127.5) / 64: the networks trained by this program.
func AdsPreprocessor(size int) Preprocessor {
	return Preprocessor{Size: size, Rescale: 1. / 255, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{64. / 255, 64. / 255, 64. / 255}}
}

// preprocessorFile is preprocessor_config.json, as transformers' BlipImageProcessor writes it.
type preprocessorFile struct {
	Type      string          `json:"image_processor_type"`
	Size      json.RawMessage `json:"size"`
	Rescale   *float64        `json:"rescale_factor"`
	Mean      *[3]float64     `json:"image_mean"`
	Std       *[3]float64     `json:"image_std"`
	Resample  *int            `json:"resample,omitempty"`
	DoResize  *bool           `json:"do_resize,omitempty"`
	DoRescale *bool           `json:"do_rescale,omitempty"`
	DoNorm    *bool           `json:"do_normalize,omitempty"`
}

// The files that may hold it: processor_config.json is what transformers 5 writes, with the pictures' part inside.
const (
	preprocessorName = "preprocessor_config.json"
	processorName    = "processor_config.json"
)

// Save writes the files that it was read from, byte for byte, or else preprocessor_config.json.
func (p Preprocessor) Save(folder string) error {
	files := p.files
	if files == nil {
		data, err := json.MarshalIndent(preprocessorFile{Type: "BlipImageProcessor", Size: fmt.Appendf(nil, `{"height":%d,"width":%[1]d}`, p.Size),
			Rescale: &p.Rescale, Mean: &p.Mean, Std: &p.Std}, "", "  ")
		if err != nil {
			return err
		}
		files = map[string][]byte{preprocessorName: append(data, '\n')}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	return nil
}

// LoadPreprocessor reads preprocessor_config.json or, where there is none, processor_config.json. What a file leaves
// out is as in transformers' BlipImageProcessor, and what is not computed here is refused.
func LoadPreprocessor(folder string) (p Preprocessor, err error) {
	files := map[string][]byte{}
	for _, name := range []string{preprocessorName, processorName} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			files[name] = data
		} else if !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("model: %w", err)
		}
	}
	name, data := preprocessorName, files[preprocessorName]
	if data == nil {
		name = processorName
		if files[name] == nil {
			return p, fmt.Errorf("model: %s has neither %s nor %s: %w; copy it from the checkpoint's origin", folder, preprocessorName, processorName, fs.ErrNotExist)
		}
		var whole struct {
			Pictures json.RawMessage `json:"image_processor"`
		}
		if err = json.Unmarshal(files[name], &whole); err == nil && whole.Pictures == nil {
			err = errors.New(`there is no "image_processor" in it`)
		}
		data = whole.Pictures
	}
	if err == nil {
		p, err = parsePreprocessor(data)
	}
	if err != nil {
		return p, fmt.Errorf("model: %s: %w", filepath.Join(folder, name), err)
	}
	p.files = files
	return p, nil
}

func parsePreprocessor(data []byte) (p Preprocessor, err error) {
	var f preprocessorFile
	if err := json.Unmarshal(data, &f); err != nil {
		return p, err
	}
	const bicubic = 3
	if f.Resample != nil && *f.Resample != bicubic {
		return p, fmt.Errorf("resample is %d, only bicubic resizing (3) is computed here", *f.Resample)
	}
	if f.DoResize != nil && !*f.DoResize {
		return p, errors.New("do_resize is false, but a network sees pictures of one size; set it to true")
	}
	p = ClipPreprocessor(384)
	if len(f.Size) > 0 && json.Unmarshal(f.Size, &p.Size) != nil {
		var size struct{ Height, Width int }
		if err := json.Unmarshal(f.Size, &size); err != nil || size.Height != size.Width || size.Height < 1 {
			return p, fmt.Errorf("size is %s, want a square: {\"height\": 224, \"width\": 224}", f.Size)
		}
		p.Size = size.Height
	}
	if f.Rescale != nil {
		p.Rescale = *f.Rescale
	}
	if f.Mean != nil {
		p.Mean = *f.Mean
	}
	if f.Std != nil {
		p.Std = *f.Std
	}
	if f.DoRescale != nil && !*f.DoRescale {
		p.Rescale = 1
	}
	if f.DoNorm != nil && !*f.DoNorm {
		p.Mean, p.Std = [3]float64{}, [3]float64{1, 1, 1}
	}
	if p.Size < 1 || p.Rescale == 0 || p.Std[0]*p.Std[1]*p.Std[2] == 0 {
		return p, fmt.Errorf("size %d, rescale_factor %g and image_std %v must not be zero", p.Size, p.Rescale, p.Std)
	}
	return p, nil
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
