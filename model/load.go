package model

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"espalier/torch"
	"espalier/torch/checkpoint"
)

// Load reads a checkpoint folder with config.json and model.safetensors onto a device. Values that are no numbers are
// refused, naming the tensor.
func Load(folder string, on torch.Device) (*Blip2, error) {
	path := filepath.Join(folder, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("model: %w; a checkpoint is a folder with config.json and model.safetensors", err)
	}
	c, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", path, err)
	}
	m, err := New(c)
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", path, err)
	}
	path = filepath.Join(folder, "model.safetensors")
	values, err := checkpoint.ReadSafeTensors(path, on)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := checkFinite(values); err != nil {
		return nil, fmt.Errorf("model: %s: %w", path, err)
	}
	if err := m.store.Fill(values); err != nil {
		return nil, fmt.Errorf("model: %s: %w", path, err)
	}
	return m, nil
}

func checkFinite(values map[string]*torch.Tensor) error {
	for name, v := range values {
		var finite bool
		err := torch.Run(func(*torch.Scope) error {
			finite = v.IsFinite().All().Item() != 0
			return nil
		})
		if err != nil {
			return err
		}
		if !finite {
			return fmt.Errorf("tensor %s holds NaN or infinite values; the checkpoint is damaged or its training diverged", name)
		}
	}
	return nil
}

// Save writes config.json, with the structure of a pruned network, and model.safetensors.
func (m *Blip2) Save(folder string) error {
	c := *m.config
	s := m.store.Structure()
	c.Structure = &s
	data, err := c.Marshal()
	if err != nil {
		return fmt.Errorf("model: config: %w", err)
	}
	if err := checkpoint.WriteSafeTensors(filepath.Join(folder, "model.safetensors"), m.store.Named(), map[string]string{"format": "pt"}); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return writeJSON(filepath.Join(folder, "config.json"), data)
}

func writeJSON(path string, data []byte) error {
	return checkpoint.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

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
