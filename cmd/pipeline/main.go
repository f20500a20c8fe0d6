// Command pipeline runs one compression job from a TOML file: teacher, stages, student, report. Started again, it
// goes on where it stopped; in a finished run's folder it prints the tables. The file may also be an experiment's: a grid of such jobs.
//
// Exit status: 0 the run is done, 1 it failed (or a conclusion of an experiment does not hold), 2 the configuration, the data or a checkpoint is at fault,
// 3 a stage was not accepted and the student is the one before it, 130, 143 or 129 SIGINT, SIGTERM or SIGHUP stopped it and it has saved what it had.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"espalier/cmd/shell"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/experiment"
	"espalier/pipeline/report"
)

func main() {
	stderr := shell.Writer(os.Stderr)
	os.Exit(shell.Main("pipeline", stderr, func() int { return command(os.Args[1:], os.Stdout, stderr, pipeline.Run) }))
}

// commands are what the program does besides a run.
var commands = map[string]func(args []string, stdout *os.File, stderr io.Writer) int{
	"init": initCommand, "doctor": doctorCommand, "data": dataCommand, "kept": kept, "report": reportCommand, "watch": watch,
}

// runner is pipeline.Run, or what tests put in its place.
type runner func(context.Context, *config.Config, pipeline.Options) (*report.Report, error)

func command(args []string, stdout *os.File, stderr io.Writer, run runner) int {
	if len(args) > 0 && commands[args[0]] != nil {
		return commands[args[0]](args[1:], stdout, stderr)
	}
	var set settings
	flags := shell.Flags("pipeline", stderr, fmt.Sprintf("usage: pipeline [-c FILE] [flags], or pipeline %s with -h for more\n\nruns what a TOML file says; docs/tutorial.md begins at the beginning", strings.Join(slices.Sorted(maps.Keys(commands)), ", ")))
	path := flags.String("c", "run.toml", "the `file` of a run or of an experiment")
	flags.Var(&set, "set", "override a `key=value` of the file, as stage.hidden.distil.steps=400; may be repeated")
	recheck := flags.Bool("recheck", false, "compute every kept result once more and compare; times are left out")
	plan := flags.Bool("plan", false, "say what the run will take: sizes, memory, time, disk; and train nothing")
	rehearse := flags.Duration("rehearse", time.Minute, "with -plan, how long it may work to find out memory and time; 0 leaves the times out, and memory is an estimate")
	lines := flags.Bool("json", false, "print the run's events as JSON, one a line, and nothing else; docs/events.md describes them; with -plan, print the plan so")
	quick := flags.Bool("quick", false, "of an experiment, the reduced form")
	page := flags.String("write", "", "of an experiment, put the table into this `page` too, between its markers")
	lanes := flags.Int("lanes", 0, "of an experiment, `runs` at once; 0 is as many as their threads leave room for")
	again := flags.String("verify", "", "measure teacher and student of a finished run's `folder` anew and compare with its report")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "pipeline: unexpected argument %q: name the run's file with -c\n", flags.Arg(0))
		return 2
	}
	if *again != "" && *lines {
		fmt.Fprintln(stderr, "pipeline: -verify prints a comparison, not a run's events; leave -json out")
		return 2
	}
	if *again != "" {
		return verify(*again, stdout, stderr)
	}
	if experiment.Is(*path) {
		if *recheck || *plan || *lines || *lanes < 0 {
			fmt.Fprintf(stderr, "pipeline: %s is an experiment, which takes -set, -quick, -write and -lanes alone\n", *path)
			return 2
		}
		return try(trial{path: *path, set: set, quick: *quick, page: *page, lanes: *lanes}, stdout, stderr)
	}
	if *quick || *page != "" || *lanes != 0 {
		fmt.Fprintf(stderr, "pipeline: -quick, -write and -lanes are of experiments, which have a base; %s has none\n", *path)
		return 2
	}
	config, err := config.Load(*path, set...)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return status(err)
	}

	show, o := newDisplay(stdout), pipeline.Options{Recheck: *recheck}
	told := &stream{out: shell.Heard(stdout), stderr: stderr}
	if *lines {
		show, o.Lines = silent(), told
	}
	o.Events = show.event
	ctx, stop := interruptible(show)
	defer stop()
	if *plan {
		return foretell(ctx, config, *rehearse, show, *lines, stdout, stderr)
	}
	result, err := run(ctx, config, o)
	show.close()
	if result != nil && !*lines {
		fmt.Fprintln(show.out)
		if e := drawReport(show.out, result, tableWidth(stdout), show.bold); e != nil && err == nil {
			err = e
		}
	}
	shell.Raise(err)
	err = cause(ctx, err)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(stderr, "stopped; the same command goes on from %s\n", config.Output)
	case err != nil:
		fmt.Fprintln(stderr, err)
	case told.failed:
		return 1
	}
	return status(err)
}
