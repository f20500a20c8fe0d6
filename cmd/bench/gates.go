package main

import (
	"context"
	"fmt"
	"io"

	"espalier/bench/gates"
	"espalier/pipeline/report"
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

// plantGates makes runs with a spoilt stage in a folder, from a number on, and tells what their gates said and which try saved them.
func plantGates(ctx context.Context, folder string, first, runs int, out io.Writer) error {
	held, wrong, bad, saved := 0, 0, 0, 0
	for i := first; i < first+runs; i++ {
		p, err := gates.Plant(ctx, folder, i)
		if err != nil {
			return err
		}
		if p.First == report.Held {
			held++
		} else {
			bad++
			if p.Accepted {
				saved++
			}
		}
		if p.Verdict == report.Held && p.TestDrop > p.Alpha {
			wrong++
		}
		fmt.Fprintf(out, "%d: %s, seed %d, %d steps: first %s, accepted %v %s (%s), drop on test %.4f\n", i, p.Plant, p.Seed, p.Steps, p.First, p.Accepted, p.By, p.Verdict, p.TestDrop)
	}
	fmt.Fprintf(out, "%d runs: %d held as they were, %d held above alpha on the test split; of %d others %d were saved\n", runs, held, wrong, bad, saved)
	return nil
}
