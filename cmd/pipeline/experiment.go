package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"espalier/cmd/shell"
	"espalier/pipeline/experiment"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/torch/disk"
)

// trial is how an experiment is run.
type trial struct {
	path  string
	set   []string
	quick bool
	page  string // Markdown into which the table goes; empty: none
	lanes int    // cells at once; 0: as many as the CPUs have room for

	program string // that runs a cell, for tests; empty: this one
}

// experimentFolder is where the runs of experiments lie.
const experimentFolder = "runs/experiments"

// errFailed says that the figures are whole, but that a cell failed or a conclusion does not hold.
var errFailed = errors.New("")

// try runs an experiment: each cell in a process of its own, several at once. Cells that are done end at once, so that the same command goes on
// after a stop.
func try(t trial, stdout *os.File, stderr io.Writer) int {
	show := newDisplay(stdout)
	ctx, stop := interruptible(show)
	defer stop()
	err := t.run(ctx, stdout, show)
	show.close()
	shell.Raise(err)
	err = cause(ctx, err)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "stopped; the same command goes on")
	case err != nil && err != errFailed:
		fmt.Fprintln(stderr, err)
	}
	return status(err)
}

func (t trial) run(ctx context.Context, stdout *os.File, show *display) error {
	f, err := experiment.Read(t.path, t.quick)
	if err != nil {
		return err
	}
	if t.page != "" {
		if err := f.HasPlace(t.page); err != nil {
			return err
		}
	}
	folder := filepath.Join(experimentFolder, f.Name)
	cells, err := f.Cells(folder, t.set)
	if err != nil {
		return &fault.InputError{Err: err}
	}
	if t.lanes == 0 {
		most := 1
		for _, c := range cells {
			most = max(most, c.Config.Threads)
		}
		t.lanes = max(1, runtime.NumCPU()/most)
	}
	out := shell.Writer(show.out)
	fmt.Fprintf(out, "%s: %d runs, %d at once\n", f.Name, len(cells), t.lanes)
	reports, failed := make([]*report.Report, len(cells)), make([]string, len(cells))
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(t.lanes)
	for _, i := range experiment.Order(cells) {
		c := cells[i]
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			start := time.Now()
			reports[i], failed[i], err = t.cell(ctx, c)
			if err == nil {
				fmt.Fprintln(out, cellLine(c, reports[i], failed[i], time.Since(start)))
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	results := &experiment.Results{File: f}
	for i, c := range cells {
		results.Add(c, reports[i], failed[i])
	}
	if err := write(results, folder, t.page); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := drawTable(show.out, results.Table(), tableWidth(stdout), show.bold); err != nil {
		return err
	}
	for _, line := range results.Notes() {
		fmt.Fprintln(out, "  "+shell.Escape(line))
		err = errFailedIf(strings.Contains(line, ": failed: "), err)
	}
	for _, v := range results.Verdicts() {
		fmt.Fprintln(out, "  "+shell.Escape(v.Line()))
		err = errFailedIf(!v.Holds, err)
	}
	fmt.Fprintf(out, "  figures, picture and the runs themselves are in %s; %s\n", folder, spent(time.Since(began)))
	return err
}

func errFailedIf(failed bool, err error) error {
	if failed {
		return errFailed
	}
	return err
}

func write(r *experiment.Results, folder, page string) error {
	csv, err := r.CSV()
	if err != nil {
		return err
	}
	lines, err := r.JSONL()
	if err != nil {
		return err
	}
	if err := errors.Join(disk.Write(filepath.Join(folder, "results.csv"), csv), disk.Write(filepath.Join(folder, "results.jsonl"), lines),
		r.WritePlot(filepath.Join(folder, "plot.png"))); err != nil {
		return err
	}
	if page == "" {
		return nil
	}
	return r.WriteInto(page)
}

// cell runs one cell by this very program, or by its setting's command, from a file that the cell's folder keeps, so that anyone can run it alone. A run that ends with a
// refused stage has a report; one that fails has a reason.
func (t trial) cell(ctx context.Context, c *experiment.Cell) (done *report.Report, failed string, err error) {
	program := t.program
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return nil, "", err
		}
	}
	if err := disk.MkdirAll(c.Config.Output); err != nil {
		return nil, "", err
	}
	path, log := filepath.Join(c.Config.Output, "cell.toml"), filepath.Join(c.Config.Output, "cell.log")
	text, err := c.TOML()
	if err != nil {
		return nil, "", err
	}
	if err := disk.Write(path, text); err != nil {
		return nil, "", err
	}
	args := []string{"-c", path}
	if c.Command != nil {
		program, args = c.Command[0], slices.Concat(c.Command[1:], args)
	}
	run := exec.CommandContext(ctx, program, args...)
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) } // it saves what it has
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}                    // a terminal's Ctrl-C would be a second signal, which ends it at once
	run.WaitDelay = time.Minute
	said, failure := run.CombinedOutput()
	if err := disk.Write(log, said); err != nil {
		return nil, "", err
	}
	if ctx.Err() != nil {
		return nil, "", context.Cause(ctx)
	}
	if failure != nil && run.ProcessState.ExitCode() != 3 {
		return nil, lastLine(said, failure), nil
	}
	done, err = report.Read(filepath.Join(c.Config.Output, "report.json"))
	return done, "", err
}

// lastLine is a failed run's own word.
func lastLine(said []byte, failure error) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return failure.Error()
}

func cellLine(c *experiment.Cell, done *report.Report, failed string, took time.Duration) string {
	text := failed
	if done != nil {
		text = done.Student.Line()
	}
	return fmt.Sprintf("  %s, seed %d: %s · %s", shell.Escape(c.Setting), c.Seed, shell.Escape(text), spent(took))
}

// spent is a time in words.
func spent(d time.Duration) string { return d.Round(time.Second).String() }
