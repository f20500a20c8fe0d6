package model

import (
	"encoding/json"
	"fmt"
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
}

// AdsPreprocessor maps bytes to (byte − 127.5) / 64: the networks trained by this program.
func AdsPreprocessor(size int) Preprocessor {
	return Preprocessor{Size: size, Rescale: 1. / 255, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{64. / 255, 64. / 255, 64. / 255}}
}

type preprocessorFile struct {
	Type    string         `json:"image_processor_type"`
	Size    map[string]int `json:"size"`
	Rescale float64        `json:"rescale_factor"`
	Mean    [3]float64     `json:"image_mean"`
	Std     [3]float64     `json:"image_std"`
}

// Save writes preprocessor_config.json.
func (p Preprocessor) Save(folder string) error {
	data, err := json.MarshalIndent(preprocessorFile{Type: "BlipImageProcessor", Size: map[string]int{"height": p.Size, "width": p.Size},
		Rescale: p.Rescale, Mean: p.Mean, Std: p.Std}, "", "  ")
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(folder, "preprocessor_config.json"), data)
}

// LoadPreprocessor reads preprocessor_config.json.
func LoadPreprocessor(folder string) (Preprocessor, error) {
	path := filepath.Join(folder, "preprocessor_config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return Preprocessor{}, fmt.Errorf("model: %w", err)
	}
	var f preprocessorFile
	if err := json.Unmarshal(data, &f); err != nil {
		return Preprocessor{}, fmt.Errorf("model: %s: %w", path, err)
	}
	if f.Size["height"] != f.Size["width"] || f.Size["height"] < 1 || f.Rescale == 0 || f.Std[0]*f.Std[1]*f.Std[2] == 0 {
		return Preprocessor{}, fmt.Errorf("model: %s: a square size, rescale_factor, image_mean and image_std are needed", path)
	}
	return Preprocessor{Size: f.Size["height"], Rescale: f.Rescale, Mean: f.Mean, Std: f.Std}, nil
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
