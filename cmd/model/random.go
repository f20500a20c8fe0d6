package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

func random(flags *flag.FlagSet) func([]string, io.Writer) error {
	config := flags.String("config", "", "config.json `file`, as transformers writes it")
	to := flags.String("out", "", "`folder` for the checkpoint")
	seed := flags.Uint64("seed", 1, "of the weights")
	kind := flags.String("dtype", "float32", "float32, bfloat16, float16 or float64")
	words := flags.String("tokenizer", "", "`folder` whose tokenizer files are copied, or none")
	return func(args []string, out io.Writer) error {
		d, ok := dtypes[*kind]
		switch {
		case *config == "" || *to == "" || len(args) > 0:
			return usagef("model random: -config and -out are needed, and nothing more")
		case !ok:
			return usagef("model random: -dtype %q is not float32, bfloat16, float16 or float64", *kind)
		}
		if _, err := os.Stat(filepath.Join(*to, "config.json")); err == nil {
			return usagef("model random: %s holds a checkpoint already; remove it or name another folder", *to)
		}
		files, err := tokenizerFiles(*words)
		if err != nil {
			return err
		}
		data, err := textfile.Read(*config)
		if err != nil {
			return err
		}
		c, err := model.ParseConfig(data)
		if err != nil {
			return fmt.Errorf("%s: %w", *config, err)
		}
		c.DType = *kind
		m, err := model.New(c)
		if err != nil {
			return fmt.Errorf("%s: %w", *config, err)
		}
		defer m.Store().Free()
		if err := m.Store().InitAs(*seed, d, torch.CPU); err != nil {
			return err
		}
		var pre model.Preprocessor
		if c.Towers() {
			pre = model.ClipPreprocessor(c.Vision.Image)
		}
		for name, text := range files {
			if err := disk.Write(filepath.Join(*to, name), text); err != nil {
				return err
			}
		}
		if err := pre.Save(*to); err != nil {
			return err
		}
		if err := m.Save(*to); err != nil { // config.json last: what a failed try leaves is no checkpoint
			return err
		}
		fmt.Fprintf(out, "%s: %s parameters of %s\n", *to, grouped(m.Store().Count()), *kind)
		return nil
	}
}

// tokenizerFiles are the files of a folder that a tokenizer consists of, by name; of none where the folder is "".
func tokenizerFiles(folder string) (map[string][]byte, error) {
	files := map[string][]byte{}
	if folder == "" {
		return files, nil
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"} {
		text, err := textfile.Read(filepath.Join(folder, name))
		if errors.Is(err, os.ErrNotExist) {
			if name == "tokenizer.json" {
				return nil, usagef("model random: %s has no %s; name the folder of a tokenizer, or leave -tokenizer out", folder, name)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}
