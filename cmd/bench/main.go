// Command bench measures this program beside the same work in PyTorch eager, on the same libtorch and in one run, with
// the same weights, pictures and questions; or, with -m, the size and speed of checkpoints; or, with -energy, the joules of their answers and
// the year's; or, with -gates, how often a gate's verdict is wrong; or, with -importance, how well scores tell what a unit is worth; or, with
// -contest, makes a student of a run's teacher in another way, on equal terms; or, with -large, load, cut, export and importance of a large
// checkpoint on the CPU; or, with -planted, what gates say of spoilt stages. -step-memory is what a measure of memory starts.
//
// Exit status: 0 it measured, 1 it failed or the two sides' results differ, 2 the command line or a checkpoint is at
// fault, 3 a figure misses its bar and -strict was given, 130 it was interrupted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"espalier/bench"
	"espalier/cmd/shell"
	"espalier/pipeline/fault"
	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/nn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stdout, stderr := shell.Writer(os.Stdout), shell.Writer(os.Stderr)
	os.Exit(shell.Main("bench", stderr, func() int { return command(ctx, os.Args[1:], stdout, stderr) }))
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var checkpoints folders
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	threads := flags.Int("threads", 1, "threads of both sides")
	rounds := flags.Int("rounds", 11, "rounds of each measure; the sides take turns. A measure of over a minute ends after three")
	device := flags.String("device", "cpu", "`cpu`, cuda, cuda:N or auto: where to measure; PyTorch there is that of python3")
	only := flags.String("only", "", "take the measures alone whose names hold this `text`, such as answer")
	all := flags.Bool("all", false, "measure other sizes and other peers too, which takes most of an hour")
	large := flags.String("large", "", "time load, cut and export of the checkpoint in a `folder` instead, from a cold cache, beside a copy of its files, and an importance pass; on the CPU")
	kind := flags.String("kind", string(nn.FFN), "units that -large halves: "+string(nn.FFN)+", "+string(nn.Heads)+", "+string(nn.Hidden)+" or "+string(nn.Blocks))
	memory := flags.String("step-memory", "", "print the bytes that a training step of a `size` of -all adds to the weights; -all calls this")
	again := flags.Bool("recompute", false, "with -step-memory: blocks are computed a second time in backward")
	strict := flags.Bool("strict", false, "exit with 3 where a figure misses its bar")
	path := flags.String("json", "", "write the figures to this `file` too")
	draws := flags.Int("gates", 0, "simulate the gate's verdicts with so many `draws` for each setting instead")
	planted := flags.String("planted", "", "make runs with a spoilt stage in a `folder` instead, as many as -runs says, and tell what their gates said")
	joules := flags.Bool("energy", false, "measure the joules of an answer of two checkpoints (-m twice) instead, and model the year; without -m the year of the paper's model")
	picture := flags.String("png", "", "draw the year of -energy into this `file`")
	runs := flags.Int("runs", 50, "runs of -planted")
	first := flags.Int("first", 0, "number of the first of them: several processes may share a folder")
	scores := importanceFlags(flags)
	contest := contestFlags(flags)
	flags.Var(&checkpoints, "m", "measure the checkpoint in a `folder` instead; may be repeated")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() > 0 || min(*threads, *rounds, scores.units, scores.pictures, scores.steps) < 1 || min(*first, *runs) < 0 {
		fmt.Fprintln(stderr, "bench: threads, rounds, units, pictures and steps are at least 1, first and runs at least 0, and there are no other arguments; see -help")
		return 2
	}
	on, err := torch.ParseDevice(*device)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	var result any
	switch {
	case *memory != "":
		var bytes int64
		if bytes, err = bench.StepMemory(*memory, *again, *threads); err == nil {
			fmt.Fprintln(stdout, bytes)
		}
	case *large != "":
		result, err = measureLarge(ctx, *large, nn.Kind(*kind), *threads, stdout)
	case *draws > 0:
		err = simulateGates(ctx, *draws, stdout)
	case *planted != "":
		err = plantGates(ctx, *planted, *first, *runs, stdout)
	case *joules:
		result, err = measureEnergy(ctx, checkpoints, bench.Options{Threads: *threads, Device: on}, *picture, stdout)
	case contest.way != "":
		err = compete(ctx, contest, stdout)
	case scores.of != "":
		result, err = importance(ctx, scores, *threads, stdout)
	default:
		result, err = measure(ctx, checkpoints, bench.Options{Rounds: *rounds, Threads: *threads, Only: *only, All: *all, Device: on}, stdout)
	}
	if err == nil && result != nil && *path != "" {
		err = write(*path, result)
	}
	shell.Raise(err)
	var checkpoint *bench.CheckpointError
	var input *fault.InputError
	report, compared := result.(*bench.Report)
	switch {
	case ctx.Err() != nil:
		return 130
	case err != nil:
		fmt.Fprintln(stderr, err)
		if errors.As(err, &checkpoint) || errors.As(err, &input) {
			return 2
		}
		return 1
	case *strict && compared && report.Missed():
		return 3
	}
	return 0
}

// measure runs what the flags ask for and draws it; the result is for the JSON file.
func measure(ctx context.Context, checkpoints []string, o bench.Options, out io.Writer) (any, error) {
	show := func(e bench.Event) { fmt.Fprintln(out, line(e)) }
	if len(checkpoints) > 0 {
		list, err := bench.Checkpoints(ctx, checkpoints, o, show)
		if err != nil {
			return nil, err
		}
		return list, drawCheckpoints(out, list)
	}
	r, err := bench.Run(ctx, o, show)
	if err != nil {
		return nil, err
	}
	return r, drawReport(out, r)
}

// measureLarge draws how a cut stands to a copy of the same bytes.
func measureLarge(ctx context.Context, folder string, kind nn.Kind, threads int, out io.Writer) (any, error) {
	torch.SetNumThreads(threads)
	l, err := bench.MeasureLarge(ctx, folder, kind)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(out, "%s: %s, half of the units of kind %s\n  copied, hashed and synced in %.1f s; loaded (%.1f s), cut and exported, %s, in %.1f s: %.2f of it\n  peak memory %s: %.2f of the weights\n",
		folder, mebibytes(float64(l.Bytes)), kind, l.CopySeconds, l.LoadSeconds, mebibytes(float64(l.Written)), l.PruneSeconds, l.PruneSeconds/l.CopySeconds,
		mebibytes(float64(l.Peak)), float64(l.Peak)/float64(l.Weights))
	if err != nil {
		return l, err
	}
	fmt.Fprintln(out, "  importance from one question: minutes on a CPU that has no instructions for the checkpoint's dtype ...")
	if err := l.Score(kind); err != nil {
		return l, err
	}
	_, err = fmt.Fprintf(out, "  scored in %.1f s, blocks computed again; peak memory %s: %.2f of the weights\n",
		l.ImportanceSeconds, mebibytes(float64(l.ImportancePeak)), float64(l.ImportancePeak)/float64(l.Weights))
	return l, err
}

func write(path string, result any) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	return disk.Write(path, append(text, '\n'))
}

// folders collects the values of a flag that may be repeated.
type folders []string

func (f *folders) String() string         { return fmt.Sprint(*f) }
func (f *folders) Set(value string) error { *f = append(*f, value); return nil }
