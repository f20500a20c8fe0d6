package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"espalier/bench/contest"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
)

// contestAsked is what the flags say.
type contestAsked struct{ way, path string }

func contestFlags(flags *flag.FlagSet) *contestAsked {
	a := &contestAsked{}
	flags.StringVar(&a.way, "contest", "", "make a student in this `way` instead, on the same terms as the run of -c would: "+strings.Join(contest.Ways(), ", "))
	flags.StringVar(&a.path, "c", "run.toml", "the `file` of the run that -contest stands beside; its output folder gets report.json")
	return a
}

// teacherOnly is the way that only trains the teacher: in a process of its own, so that its memory is in no contestant's figures.
const teacherOnly = "teacher"

// compete makes one contestant's student.
func compete(ctx context.Context, asked *contestAsked, out io.Writer) error {
	cfg, err := config.Load(asked.path)
	if err != nil {
		return err
	}
	if cfg, err = cfg.Resolve(); err != nil {
		return err
	}
	events := event.Events(func(e event.Event) {
		switch e := e.(type) {
		case event.Note:
			fmt.Fprintln(out, e.Text)
		case event.Phase:
			fmt.Fprintln(out, strings.TrimSpace(e.Stage+" "+e.Name+" "+e.Detail))
		}
	})
	if asked.way == teacherOnly {
		return contest.Prepare(ctx, cfg, events)
	}
	folder, err := contest.TeacherFolder(cfg)
	if err != nil {
		return err
	}
	if err := again(ctx, out, "-contest", teacherOnly, "-c", asked.path); err != nil {
		return fmt.Errorf("bench: the teacher: %w", err)
	}
	return contest.Contest{Way: asked.way, Config: cfg, Teacher: folder, Events: events, Log: out}.Run(ctx)
}

// again runs this program with other arguments.
func again(ctx context.Context, out io.Writer, args ...string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	run := exec.CommandContext(ctx, program, args...)
	run.Stdout, run.Stderr = out, out
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) } // it saves what it has
	run.WaitDelay = time.Minute
	if err = run.Run(); ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}
