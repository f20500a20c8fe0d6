package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"

	"espalier/model"
	"espalier/torch"
)

func compare(flags *flag.FlagSet) func([]string, io.Writer) error {
	in := flags.String("in", "", "safetensors `file` with the inputs, as for model forward")
	on := device(flags)
	return func(args []string, out io.Writer) error {
		if *in == "" || len(args) != 2 {
			return usagef("model compare: -in and two checkpoint folders are needed")
		}
		rows := [][]string{{"output", "shape", "largest value", "largest difference", "mean difference"}}
		err := computed(flags, args[0], *in, *on, 0, func(first map[string]*torch.Tensor) error {
			return computed(flags, args[1], *in, *on, 0, func(second map[string]*torch.Tensor) error {
				for _, name := range slices.Sorted(maps.Keys(first)) {
					a, b := first[name].To(torch.Float64), second[name]
					row := []string{name, fmt.Sprint(a.Shape()), fmt.Sprintf("%.4g", a.Abs().AMax().Item())}
					if b == nil || !slices.Equal(a.Shape(), b.Shape()) {
						row = append(row, "other shape", "–")
					} else {
						d := a.Sub(b.To(torch.Float64)).Abs()
						row = append(row, fmt.Sprintf("%.3g", d.AMax().Item()), fmt.Sprintf("%.3g", d.Mean().Item()))
					}
					rows = append(rows, row)
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
		if err := table(out, rows, 2, 3, 4); err != nil {
			return err
		}
		return comparePrompts(args[0], args[1], out)
	}
}

// comparePrompts says where two checkpoints frame questions differently: equal outputs for equal inputs do not show it.
func comparePrompts(one, two string, out io.Writer) error {
	a, err := model.LoadConfig(one)
	if err != nil {
		return err
	}
	b, err := model.LoadConfig(two)
	if err == nil && a.Prompt != b.Prompt {
		_, err = fmt.Fprintf(out, "the prompts differ: %q and %q\n", a.Prompt, b.Prompt)
	}
	return err
}
