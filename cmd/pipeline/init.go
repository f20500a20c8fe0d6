package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"espalier/cmd/shell"
	"espalier/pipeline"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/torch/disk"
)

// initCommand writes a first run.toml for the user's data and network.
func initCommand(args []string, stdout *os.File, stderr io.Writer) int {
	flags := shell.Flags("pipeline init", stderr, "usage: pipeline init -data DATA [-model CHECKPOINT] [-out mine.toml]\n\nlooks at your pictures and questions, and at your checkpoint where there is one, and writes a run.toml with values that fit them and this machine")
	ask := pipeline.Ask{}
	flags.StringVar(&ask.Data, "data", "", "your pictures and questions: a `folder` with files of one of the five forms of docs/data.md, or one such file")
	flags.StringVar(&ask.Model, "model", "", "the network to compress: a `folder` of transformers' form; without it, a teacher is trained on the data")
	out := flags.String("out", "run.toml", "the `file` to write, which also names the run's folder; one that is there is left alone")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "pipeline init: unexpected argument %q: name the data with -data and a checkpoint with -model\n", flags.Arg(0))
		return 2
	}
	if ask.Name = strings.TrimSuffix(filepath.Base(*out), ".toml"); ask.Name == "run" { // it says nothing
		ask.Name = ""
	}
	err := begin(ask, *out, stdout)
	shell.Raise(err)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return status(err)
}

func begin(ask pipeline.Ask, path string, stdout *os.File) error {
	if ask.Data == "" {
		return fault.Inputf("pipeline init: name your pictures and questions with -data; docs/data.md says which files they may be")
	}
	if _, err := os.Lstat(path); err == nil {
		return fault.Inputf("pipeline init: %s is there already; name another file with -out, or remove it", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fault.Inputf("pipeline init: %s: %w; name another file with -out", path, err)
	}
	out := shell.Writer(stdout)
	ask.Events = func(e event.Event) {
		if n, ok := e.(event.Note); ok {
			fmt.Fprintln(out, "note: "+n.Text)
		}
	}
	p, err := pipeline.Propose(context.Background(), ask)
	if err != nil {
		return err
	}
	for _, line := range p.Found {
		fmt.Fprintln(out, "found: "+line)
	}
	fmt.Fprintln(out, p.Line())
	if err := disk.Write(path, []byte(p.Text)); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s is written; look it through. Then\n  go run ./cmd/pipeline -c %[2]s -plan   # sizes, memory, time, disk; trains nothing\n  go run ./cmd/pipeline -c %[2]s         # the run\n", path, quoted(path))
	return nil
}

// quoted is an argument as a shell takes it.
func quoted(s string) string {
	if !strings.ContainsAny(s, " \t\n'\"\\$&;|<>()*?[]#~`!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
