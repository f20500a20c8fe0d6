package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

func export(flags *flag.FlagSet) func([]string, io.Writer) error {
	folder := flags.String("m", "", "checkpoint `folder`")
	format := flags.String("format", "torchscript", "`torchscript`: encode, prefill and step for any program with libtorch")
	to := flags.String("out", "", "`folder` for "+model.TorchScriptName+" and the tokenizer's files, or a .pt file alone")
	return func(args []string, out io.Writer) error {
		switch {
		case *folder == "" || *to == "" || len(args) > 0:
			return usagef("model export: -m and -out are needed, and nothing more")
		case *format != "torchscript":
			return usagef("model export: -format %q is not torchscript", *format)
		}
		file, alone := *to, strings.HasSuffix(*to, ".pt")
		if !alone {
			file = filepath.Join(*to, model.TorchScriptName)
		}
		if _, err := os.Stat(file); err == nil {
			return usagef("model export: %s is there already; remove it or name another", file)
		}
		if err := exportTo(flags, *folder, file, alone); err != nil {
			return err
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %.2f MB, methods encode, prefill and step\n", file, float64(info.Size())/1e6)
		return nil
	}
}

// exportTo writes the TorchScript file and, unless it is to stand alone, beside it what turns words into ids and back.
func exportTo(flags *flag.FlagSet, folder, file string, alone bool) error {
	c, err := model.LoadConfig(folder)
	if err != nil {
		return err
	}
	pre, err := model.LoadPreprocessorFor(folder, c)
	if err != nil {
		return err
	}
	ends := c.Ends()
	words, err := prompt.Load(folder, c, "")
	if err == nil {
		ends = words.Ends()
	} else if !errors.Is(err, fs.ErrNotExist) { // a checkpoint without a tokenizer is exported without one
		return err
	}
	m, err := model.Load(folder, torch.CPU)
	if err != nil {
		return err
	}
	defer m.Store().Free()
	tell(flags, m)
	to := filepath.Dir(file)
	if err := m.SaveTorchScript(file, pre, ends); err != nil {
		return err
	}
	if alone || sameFolder(folder, to) {
		return nil
	}
	config, err := textfile.Read(filepath.Join(folder, "config.json"))
	if err != nil {
		return err
	}
	if err := disk.Write(filepath.Join(to, "config.json"), config); err != nil {
		return err
	}
	if words.Answers != nil {
		if err := words.Save(to); err != nil {
			return err
		}
	}
	return pre.Save(to)
}

func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	two, fault := os.Stat(b)
	return err == nil && fault == nil && os.SameFile(one, two)
}
