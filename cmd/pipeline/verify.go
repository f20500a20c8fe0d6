package main

import (
	"fmt"
	"io"
	"os"

	"espalier/cmd/shell"
	"espalier/pipeline"
)

// verify measures the networks of a finished run anew and says what is not as its report says.
func verify(folder string, stdout *os.File, stderr io.Writer) int {
	show := newDisplay(stdout)
	ctx, stop := interruptible(show)
	defer stop()
	measured, err := pipeline.Verify(ctx, folder, show.event)
	show.close()
	shell.Raise(err)
	if err != nil {
		err = cause(ctx, err)
		fmt.Fprintln(stderr, err)
		return status(err)
	}
	different, out := 0, shell.Writer(stdout)
	for _, v := range measured {
		fmt.Fprintln(out, line(v.Name, "report", v.Said.Line()))
		fmt.Fprintln(out, line(v.Name, "measured", v.Is.Line()))
		for _, d := range v.Different {
			different++
			fmt.Fprintln(out, line(v.Name, "DIFFERENT", d))
		}
	}
	if different > 0 {
		fmt.Fprintf(stderr, "%d figures in %s are not as its report says\n", different, folder)
		return 1
	}
	fmt.Fprintf(out, "all sizes and accuracies are as the report of %s says; times are not compared\n", folder)
	return 0
}
