// Command model does everything about one checkpoint folder: what it holds, what it computes, what it answers.
//
//	model inspect  FOLDER|FILE
//	model forward  -m FOLDER -in inputs.safetensors -out outputs.safetensors [-max-new-tokens 6]
//	model generate -m FOLDER -image x.png -question "…" [-json]
//	model generate -m FOLDER -ask questions.jsonl [-inputs FOLDER]
//	model export   -m FOLDER -out FOLDER [-format torchscript]
//	model compare  -in inputs.safetensors FOLDER FOLDER
//	model convert  -out FOLDER|FILE [-names lavis-opt] [-config config.json] FOLDER|FILE …
//	model random   -config config.json -out FOLDER [-seed 1] [-dtype bfloat16]
//
// Exit status: 0 done, 1 it failed, 2 the arguments or a file are at fault, 70 a fault of the program.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"espalier/cmd/shell"
	"espalier/model"
	"espalier/torch"
)

func main() {
	stdout, stderr := shell.Writer(os.Stdout), shell.Writer(os.Stderr)
	os.Exit(shell.Main("model", stderr, func() int { return command(os.Args[1:], stdout, stderr) }))
}

// verb is a subcommand: run gets the parsed flags' remaining arguments.
type verb struct {
	use   string
	setup func(*flag.FlagSet) (run func(args []string, out io.Writer) error)
}

var verbs = map[string]verb{
	"inspect":  {"FOLDER|FILE: parts, parameters, dtypes and axes of a checkpoint, or the tensors of a file", inspect},
	"convert":  {"-out FOLDER|FILE FOLDER|FILE …: from any format and names to any", convert},
	"forward":  {"-m FOLDER -in FILE -out FILE: outputs for given inputs", forward},
	"generate": {"-m FOLDER -image FILE -question TEXT, or -ask FILE: answers", generate},
	"export":   {"-m FOLDER -out FOLDER: a TorchScript file that programs with libtorch run", export},
	"compare":  {"-in FILE FOLDER FOLDER: how far two checkpoints' outputs are apart", compare},
	"random":   {"-config FILE -out FOLDER: a seeded checkpoint, for trials", random},
}

// usage is a fault in the arguments.
type usage struct{ error }

func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

func command(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		help(stderr)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	v, ok := verbs[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "model: there is no %q\n", args[0])
		help(stderr)
		return 2
	}
	flags := flag.NewFlagSet("model "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	run := v.setup(flags)
	if status, ended := shell.Parse(flags, args[1:]); ended {
		return status
	}
	err := run(flags.Args(), stdout)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, err)
	var internal *torch.Error
	if errors.As(err, &internal) && internal.Kind != torch.KindIndex {
		return 1
	}
	return 2
}

func help(w io.Writer) {
	fmt.Fprintln(w, "usage:")
	for _, name := range []string{"inspect", "forward", "generate", "export", "compare", "convert", "random"} {
		fmt.Fprintf(w, "  model %-8s %s\n", name, verbs[name].use)
	}
}

// device is the flag that every computing command has.
func device(flags *flag.FlagSet) *string {
	return flags.String("device", "auto", "`cpu`, cuda, cuda:N or auto")
}

// tell prints what was unusual in the files of a network, beside a command's output.
func tell(flags *flag.FlagSet, m *model.Blip2) {
	for _, note := range m.Notes() {
		fmt.Fprintln(flags.Output(), note)
	}
}
