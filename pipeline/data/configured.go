package data

import (
	"espalier/pipeline/config"
	"espalier/pipeline/fault"
)

// Configured says which data set a configuration names.
func Configured(d config.DataConfig) (Config, error) {
	shares, err := config.Shares(d.Split)
	if err != nil {
		return Config{}, fault.Inputf("data.split: %w", err)
	}
	c := Config{Source: d.Source, Root: d.Root, Shares: shares, SplitSeed: d.SplitSeed, Size: d.Size,
		Train: d.Train, Validation: d.Validation, Test: d.Test, OOD: d.OOD, Skip: d.OnError == "skip"}
	if d.Ads != nil {
		ads := Ads(*d.Ads)
		c.Ads = &ads
	}
	if d.Sequences != nil {
		c.Sequences = Sequences(*d.Sequences)
	}
	return c, nil
}
