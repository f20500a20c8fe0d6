package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"espalier/model"
	"espalier/model/names"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// dtypes are the names of the dtypes that weights are written in.
var dtypes = map[string]torch.DType{"float32": torch.Float32, "bfloat16": torch.BFloat16, "float16": torch.Float16, "float64": torch.Float64}

// companions stand beside the weights of a checkpoint folder.
var companions = []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "preprocessor_config.json", "processor_config.json",
	"generation_config.json", "qformer_tokenizer/tokenizer.json", "qformer_tokenizer/tokenizer_config.json", "qformer_tokenizer/special_tokens_map.json"}

// conversion is what the flags of convert say.
type conversion struct {
	out, key, names, config, dtype, format string
	reverse, dropUnused                    bool
	notes                                  io.Writer
}

func convert(flags *flag.FlagSet) func([]string, io.Writer) error {
	var c conversion
	flags.StringVar(&c.out, "out", "", "what is written: a `path` that ends in .safetensors, .pt, .pth, .bin or .gob, or a folder")
	flags.StringVar(&c.format, "format", "", "safetensors, pt, gob or folder, where the ending does not say it")
	flags.StringVar(&c.key, "key", "", "which `dict` of a nested checkpoint holds the tensors, as model or state/model")
	flags.StringVar(&c.names, "names", "", "other people's names → ours: a TOML `file`, or one of "+strings.Join(names.Known(), ", "))
	flags.BoolVar(&c.reverse, "reverse", false, "our names → theirs")
	flags.StringVar(&c.config, "config", "", "config.json `file` of the network, for a folder; the tensors must be its")
	flags.BoolVar(&c.dropUnused, "drop-unused", false, "leave out tensors that the network of the config does not have")
	flags.StringVar(&c.dtype, "dtype", "", "float32, bfloat16, float16 or float64 instead of what the weights are")
	return func(args []string, out io.Writer) error {
		c.notes = flags.Output()
		return c.run(args, out)
	}
}

func (c conversion) run(args []string, out io.Writer) error {
	if c.out == "" || len(args) == 0 {
		return usagef("model convert: -out and the checkpoints to read are needed")
	}
	format, err := c.outFormat()
	if err != nil {
		return err
	}
	config, err := c.configOf(args)
	if err != nil {
		return err
	}
	from, err := c.open(args, config, out)
	if err != nil {
		return err
	}
	defer from.Close()
	if config != nil {
		if err := c.fit(config, from, out); err != nil {
			return err
		}
	}
	switch format {
	case "folder":
		err = c.writeFolder(config, args, from)
	case "pt":
		err = checkpoint.CopyPT(c.out, from)
	case "gob":
		err = checkpoint.CopyGob(c.out, from)
	default:
		err = checkpoint.CopySafeTensors(c.out, from, map[string]string{"format": "pt"})
	}
	if err != nil {
		return err
	}
	total := int64(0)
	for _, n := range from.Names() {
		info, _ := from.Info(n)
		total += info.Bytes
	}
	fmt.Fprintf(out, "%s: %s tensors, %.2f MB, from %s\n", c.out, grouped(len(from.Names())), float64(total)/1e6, from.Format())
	return nil
}

func (c conversion) outFormat() (string, error) {
	formats := []string{"safetensors", "pt", "gob", "folder"}
	if c.format != "" {
		if !slices.Contains(formats, c.format) {
			return "", usagef("model convert: -format %q is not one of %s", c.format, strings.Join(formats, ", "))
		}
		return c.format, nil
	}
	switch ending := filepath.Ext(c.out); ending {
	case ".safetensors", ".gob":
		return ending[1:], nil
	case ".pt", ".pth", ".bin":
		return "pt", nil
	}
	return "folder", nil
}

// fit holds the tensors against the network that the config declares.
func (c conversion) fit(config *model.Config, from *checkpoint.Merged, out io.Writer) error {
	m, err := model.Declare(config, from)
	if err != nil {
		return err
	}
	if c.dropUnused {
		unused := m.Unused(from)
		from.Drop(unused...)
		say(out, "left out: the network does not have them", unused)
	}
	if err := m.Fits(from); err != nil {
		return fmt.Errorf("%w\n-names takes other people's names, -drop-unused leaves out what is unexpected", err)
	}
	return nil
}

// writeFolder writes a checkpoint folder, with what stands beside the weights in the first input that has it.
func (c conversion) writeFolder(config *model.Config, inputs []string, from checkpoint.Source) error {
	if config == nil {
		return usagef("model convert: a folder needs the network's -config config.json; or let -out end in .safetensors or .pt")
	}
	if exists(filepath.Join(c.out, "config.json")) {
		return usagef("model convert: %s holds a checkpoint already; remove it or name another folder", c.out)
	}
	folders := inputs
	if c.config != "" {
		folders = append([]string{filepath.Dir(c.config)}, inputs...)
	}
	for _, name := range companions {
		for _, in := range folders {
			data, err := textfile.Read(filepath.Join(in, name))
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				continue
			}
			if err != nil {
				return err
			}
			if err := disk.Write(filepath.Join(c.out, name), data); err != nil {
				return err
			}
			break
		}
	}
	if err := checkpoint.CopySafeTensors(filepath.Join(c.out, checkpoint.SingleFile), from, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	data, err := config.Marshal()
	if err != nil {
		return err
	}
	return disk.Write(filepath.Join(c.out, "config.json"), append(data, '\n'))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// say lists names under a reason, the first few of them.
func say(out io.Writer, reason string, names []string) {
	const shown = 6
	if len(names) == 0 {
		return
	}
	first := make([]string, min(shown, len(names)))
	for i := range first {
		first[i] = fmt.Sprintf("%.200s", names[i])
	}
	fmt.Fprintf(out, "%s: %s", reason, strings.Join(first, ", "))
	if len(names) > shown {
		fmt.Fprintf(out, " and %d more", len(names)-shown)
	}
	fmt.Fprintln(out)
}
