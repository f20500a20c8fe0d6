package main

import (
	"context"
	"fmt"
	"io"

	"espalier/bench/gates"
)

// worst is the largest share of wrong verdicts of a method at some number of pictures, and where it came.
type worst struct {
	held, lost     float64
	heldAt, lostAt gates.Setting
}

// simulateGates draws answers whose true loss is alpha, so that held and lost are wrong, and answers that lose nothing, where held
// is right; the tables are those of docs/results.md.
func simulateGates(ctx context.Context, draws int, out io.Writer) error {
	sizes, found := []int{}, map[int][]worst{}
	for i, s := range gates.Edge() {
		shares, err := gates.Simulate(ctx, s, draws, uint64(i))
		if err != nil {
			return err
		}
		if found[s.Pictures] == nil {
			sizes, found[s.Pictures] = append(sizes, s.Pictures), make([]worst, len(shares))
		}
		for m, share := range shares {
			w := &found[s.Pictures][m]
			if share.Held > w.held {
				w.held, w.heldAt = share.Held, s
			}
			if share.Lost > w.lost {
				w.lost, w.lostAt = share.Lost, s
			}
		}
	}
	fmt.Fprintf(out, "Wrong verdicts where the true loss is alpha, %% of %d draws: the worst setting for each (2.5 is allowed)\n\n| method |", draws)
	for _, n := range sizes {
		fmt.Fprintf(out, " held, %d | lost, %d |", n, n)
	}
	fmt.Fprint(out, "\n|---|---|---|---|---|---|---|\n")
	for m, method := range gates.Methods {
		fmt.Fprintf(out, "| %s |", method.Name)
		for _, n := range sizes {
			fmt.Fprintf(out, " %.1f | %.1f |", 100*found[n][m].held, 100*found[n][m].lost)
		}
		fmt.Fprintln(out)
	}
	for _, n := range sizes {
		fmt.Fprintf(out, "%d pictures: the gate's worst held at %+v, lost at %+v\n", n, found[n][0].heldAt, found[n][0].lostAt)
	}
	fmt.Fprintf(out, "\nHeld where nothing is lost, %% of %d draws\n\n| pictures | alpha | each alone right | together |", draws)
	for _, method := range gates.Methods {
		fmt.Fprintf(out, " %s |", method.Name)
	}
	fmt.Fprintln(out)
	for i, s := range gates.Equal() {
		shares, err := gates.Simulate(ctx, s, draws, uint64(1000+i))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %d | %g | %g | %g |", s.Pictures, s.Alpha, s.Won, s.Together)
		for _, share := range shares {
			fmt.Fprintf(out, " %.1f |", 100*share.Held)
		}
		fmt.Fprintln(out)
	}
	return nil
}
