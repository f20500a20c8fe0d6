package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"espalier/model"
	"espalier/model/names"
	"espalier/torch/checkpoint"
	"espalier/torch/textfile"
)

// open gives the inputs as one checkpoint under our names, or theirs. Where a network is known, what wrappers put before the
// names is taken off.
func (c conversion) open(paths []string, config *model.Config, out io.Writer) (*checkpoint.Merged, error) {
	builtIn, known := slices.Contains(names.Known(), c.names), config != nil
	var sources []checkpoint.Source
	for _, p := range paths {
		s, err := c.openOne(p, builtIn || known && c.names == "", config)
		if err != nil {
			return nil, errors.Join(err, checkpoint.Merge(sources...).Close())
		}
		sources = append(sources, s)
	}
	all := checkpoint.Merge(sources...)
	say(out, "in several of the inputs, the last one counts", all.Replaced)
	var from checkpoint.Source = all
	if c.names != "" {
		m, err := names.Open(c.names)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		if c.reverse {
			m = m.Reverse()
		}
		if from, err = m.Over(all); err != nil {
			return nil, errors.Join(fmt.Errorf("names %s: %w", c.names, err), all.Close())
		}
		if known && !builtIn && !c.reverse { // the user's own map was for the names as they are in the files
			if from, err = c.unwrap(from, config, c.names); err != nil {
				return nil, errors.Join(err, all.Close())
			}
		}
	}
	if c.dtype != "" {
		d, ok := dtypes[c.dtype]
		if !ok {
			return nil, errors.Join(usagef("model convert: -dtype %q is not float32, bfloat16, float16 or float64", c.dtype), all.Close())
		}
		from = checkpoint.Cast{Source: from, To: d}
	}
	return checkpoint.Merge(from), nil
}

// openOne opens an input. LoRA layers and quantized weights are refused whatever is asked for: renamed or left out, they would
// leave the model as it was before.
func (c conversion) openOne(path string, unwrap bool, config *model.Config) (checkpoint.Source, error) {
	if err := names.Adapter(path); err != nil {
		return nil, err
	}
	s, err := checkpoint.Open(path, c.key)
	if err != nil {
		return nil, err
	}
	if err = names.Foreign(s); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	seen := s
	if err == nil {
		var plain checkpoint.Plain // int8 students of this program as float32
		if plain, err = checkpoint.NewPlain(s); plain.Any() {
			seen = plain
		}
	}
	if err == nil && unwrap {
		seen, err = c.unwrap(seen, config, path)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return seen, nil
}

// unwrap is [model.Unwrap] with its note told.
func (c conversion) unwrap(s checkpoint.Source, config *model.Config, where string) (checkpoint.Source, error) {
	seen, note, err := model.Unwrap(s, config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if note != "" {
		fmt.Fprintf(c.notes, "%s: %s\n", where, note)
	}
	return seen, nil
}

// configOf reads the config of the network: the one that is named, or that of the first input folder which has one, unless
// other people's names are written.
func (c conversion) configOf(inputs []string) (*model.Config, error) {
	path := c.config
	for _, in := range inputs {
		if found := filepath.Join(in, "config.json"); path == "" && !c.reverse && exists(found) {
			path = found
		}
	}
	if path == "" {
		return nil, nil
	}
	data, err := textfile.Read(path)
	if err != nil {
		return nil, err
	}
	config, err := model.ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	config.Int8 = false
	if c.dtype != "" {
		config = config.WithDType(c.dtype)
	}
	return config, nil
}
