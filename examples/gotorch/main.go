//go:build cgotorch

// Command gotorch prunes a network that is defined and trained with github.com/wangkuiyi/gotorch: its module is handed
// over without copying, scored by the gradients of its own Forward, cut to half its units, proved, trained a little more
// and saved as a checkpoint that gotorch reads.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"text/tabwriter"

	"espalier/torch"
)

func main() {
	o := options{}
	flag.Uint64Var(&o.seed, "seed", 1, "of the pictures and the first weights")
	flag.IntVar(&o.steps, "steps", 1200, "of training")
	flag.IntVar(&o.more, "more", 150, "steps of training after the cut")
	flag.StringVar(&o.out, "out", "runs/gotorch.gob", "the checkpoint to write")
	flag.Parse()
	debug.SetGCPercent(-1) // the collector works between steps: see package espalier/torch/gotorch
	torch.SetNumThreads(1) // the same figures on every run
	f, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	f.print(o)
}

// options are the flags.
type options struct {
	seed        uint64
	steps, more int
	out         string
}

// row is a line of the table.
type row struct {
	name       string
	parameters int
	accuracy   float64
}

// figures are what a run found.
type figures struct {
	rows    []row
	diff    float64 // of the sliced network from the masked one, in float64
	tensors int     // that gotorch read back
}

func (f figures) print(o options) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "network\tparameters\taccuracy")
	for _, r := range f.rows {
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\n", r.name, r.parameters, 100*r.accuracy)
	}
	w.Flush()
	fmt.Printf("\nsliced against masked, float64: largest difference %.2g of the largest logit\n", f.diff)
	fmt.Printf("%s: %d tensors, read back by gotorch's own loader with the same logits to the last bit\n", o.out, f.tensors)
}
