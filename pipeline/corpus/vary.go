package corpus

import (
	"espalier/pipeline/config"
	"espalier/pipeline/data"
)

// Vary is how far a configuration changes training pictures: each range times the strength.
func Vary(c *config.VaryConfig) data.Vary {
	if c == nil || c.Strength == 0 {
		return data.Vary{}
	}
	v := data.Vary{Shift: c.Shift, Scale: c.Scale, Brightness: c.Brightness, Contrast: c.Contrast, Saturation: c.Saturation, Noise: c.Noise,
		Erase: c.Erase, EraseSide: c.EraseSide}
	for _, most := range []*float64{&v.Shift, &v.Scale, &v.Brightness, &v.Contrast, &v.Saturation, &v.Noise, &v.Erase, &v.EraseSide} {
		*most *= c.Strength
	}
	return v
}
