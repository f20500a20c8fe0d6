// Command serve lets people and programs ask checkpoints: a page in the browser, and OpenAI's interface.
//
//	serve -m runs/x/student [-m runs/x/teacher] [-listen 127.0.0.1:8000]
//
// Exit status: 0 a signal stopped it and all that ran was answered, 1 it failed, 2 the arguments or a checkpoint are at fault, 70 a fault of the
// program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"espalier/cmd/shell"
	"espalier/serve"
	"espalier/torch"
)

func main() {
	stdout, stderr := shell.Writer(os.Stdout), shell.Writer(os.Stderr)
	os.Exit(shell.Main("serve", stderr, func() int {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second signal ends the program at once
		return command(ctx, os.Args[1:], stdout, stderr)
	}))
}

// list collects the values of a flag that may be repeated.
type list []string

func (l *list) String() string         { return fmt.Sprint(*l) }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// tokenVariable is where the token may stand instead of in a flag, which other users of the machine can read.
const tokenVariable = "ESPALIER_TOKEN"

func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := serve.Usual()
	o.Token = os.Getenv(tokenVariable)
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Var((*list)(&o.Folders), "m", "checkpoint `folder`; may be repeated")
	listen := flags.String("listen", "127.0.0.1:8000", "`address` and port; port 0 is any free one")
	device := flags.String("device", "auto", "`cpu`, cuda, cuda:N or auto")
	threads := flags.Int("threads", runtime.NumCPU(), "threads that compute")
	flags.IntVar(&o.Together, "batch", o.Together, "`questions` that are answered together, at most")
	flags.IntVar(&o.Waiting, "queue", o.Waiting, "`questions` that may wait for a model; more are refused with status 429")
	flags.DurationVar(&o.Timeout, "timeout", o.Timeout, "of a request, from its arrival to its answer")
	flags.DurationVar(&o.Slow, "slow", o.Slow, "that a client may take to send a request, and to read its answer")
	flags.DurationVar(&o.Grace, "grace", o.Grace, "for what runs, after a signal to stop")
	flags.IntVar(&o.MostPixels, "max-pixels", o.MostPixels, "of a picture")
	flags.IntVar(&o.MostQuestion, "max-question", o.MostQuestion, "`tokens` of a question, at most")
	flags.IntVar(&o.MostTokens, "max-tokens", o.MostTokens, "of an answer")
	flags.BoolVar(&o.Fetch, "fetch", false, "fetch pictures that requests name by an http address; whoever may ask can then make this machine open any address that it reaches")
	flags.Var((*list)(&o.Origins), "cors", "`origin` of pages elsewhere that may ask, as https://example.org, or *; may be repeated")
	flags.StringVar(&o.Token, "token", o.Token, "`text` that clients must send as bearer token; may stand in "+tokenVariable+" instead")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "serve: unexpected argument %q: name checkpoints with -m\n", flags.Arg(0))
		return 2
	case len(o.Folders) == 0:
		fmt.Fprintln(stderr, "serve: name at least one checkpoint: -m runs/x/student")
		return 2
	case *threads < 1 || *threads > 1024 || o.Together < 1 || o.Waiting < 1 || min(o.MostPixels, o.MostQuestion, o.MostTokens) < 1 || min(o.Timeout, o.Slow, o.Grace) <= 0:
		fmt.Fprintln(stderr, "serve: numbers and times must be above 0, and -threads at most 1024; see -help")
		return 2
	}
	var err error
	if o.Device, err = torch.ParseDevice(*device); err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	torch.SetNumThreads(*threads)
	o.Log = func(text string) { fmt.Fprintln(stderr, text) }
	return run(ctx, o, *listen, stdout, stderr)
}

// run serves until the context ends.
func run(ctx context.Context, o serve.Options, address string, stdout, stderr io.Writer) int {
	l, err := net.Listen("tcp", address) // before the checkpoints are read, which takes longer
	if err != nil {
		fmt.Fprintf(stderr, "serve: %v: give another address with -listen\n", err)
		return 1
	}
	defer l.Close()
	at, _ := l.Addr().(*net.TCPAddr)
	o.Loopback = at.IP.IsLoopback()
	s, err := serve.Open(o)
	if err != nil {
		fmt.Fprintln(stderr, err)
		var internal *torch.Error
		if errors.As(err, &internal) && internal.Kind != torch.KindIndex {
			return 1
		}
		return 2
	}
	defer s.Close()
	for _, line := range s.Models() {
		fmt.Fprintln(stdout, line)
	}
	if !o.Loopback && o.Token == "" {
		fmt.Fprintf(stderr, "note: whoever reaches %v may ask; -token names a text that clients must send\n", at)
	}
	fmt.Fprintf(stdout, "page http://%v/   OpenAI's interface http://%[1]v/v1\n", at)
	if err := s.Serve(ctx, l); err != nil {
		fmt.Fprintf(stderr, "serve: %v\n", err)
		return 1
	}
	return 0
}
