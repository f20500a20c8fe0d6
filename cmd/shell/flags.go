package shell

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// Flags are those of a command, which tells its faults and its usage, a line and what the command does, on stderr.
func Flags(name string, stderr io.Writer, usage string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, usage)
		flags.PrintDefaults()
	}
	return flags
}

// Parse reads a command's flags. Where they end it, because help was asked for or they are at fault, ended is true and status its exit status.
func Parse(flags *flag.FlagSet, args []string) (status int, ended bool) {
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0, true
	case err != nil:
		return 2, true
	}
	return 0, false
}
