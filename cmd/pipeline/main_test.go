package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
)

const job = "../../run.toml"

// launch gives the exit status and what was written to either side.
func launch(t *testing.T, run runner, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	var errs bytes.Buffer
	status = command(args, out, &errs, run)
	text, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return status, string(text), errs.String()
}

// ending is a run that has only an end.
func ending(r *report.Report, err error) runner {
	return func(context.Context, *config.Config, pipeline.Options) (*report.Report, error) { return r, err }
}

func TestExitStatus(t *testing.T) {
	gate := &stage.GateError{Stage: "hidden", Gate: report.Gate{Verdict: report.Lost, Drop: .03, CI: [2]float64{.02, .04}}}
	for name, c := range map[string]struct {
		err    error
		status int
		stderr string
	}{
		"done":        {nil, 0, ""},
		"failed":      {errors.New("disk full"), 1, "disk full\n"},
		"bad input":   {fmt.Errorf("run: %w", fault.Inputf("x.png: broken: remove it")), 2, "run: x.png: broken: remove it\n"},
		"gate":        {fmt.Errorf("run: %w", gate), 3, "run: " + gate.Error() + "\n"},
		"interrupted": {fmt.Errorf("run: %w", context.Canceled), 130, "stopped; the same command goes on from runs/default\n"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := launch(t, ending(nil, c.err), "-c", job)
			assert.Equal(t, c.status, status)
			assert.Equal(t, c.stderr, stderr)
			assert.Empty(t, stdout)
		})
	}
}

func TestTablesAreDrawnOfWhatThereIs(t *testing.T) {
	r := sample(t)
	status, stdout, _ := launch(t, ending(r, nil), "-c", job)
	assert.Equal(t, 0, status)
	assert.Contains(t, stdout, "3 hidden")
	assert.NotContains(t, stdout, "\x1b", "a file gets no escapes")

	status, stdout, stderr := launch(t, ending(r, &stage.GateError{Stage: "hidden"}), "-c", job)
	assert.Equal(t, 3, status)
	assert.Contains(t, stdout, "Gates", "a failed gate shows how far the run came")
	assert.Contains(t, stderr, `stage "hidden"`)
}

func TestBadArguments(t *testing.T) {
	never := func(context.Context, *config.Config, pipeline.Options) (*report.Report, error) {
		t.Error("the run was started")
		return nil, nil
	}
	for name, c := range map[string]struct {
		args   []string
		stderr string
	}{
		"missing file": {[]string{"-c", "none.toml"}, "config: open none.toml: no such file or directory: name a run's TOML file with -c, or have pipeline init write one\n"},
		"two faults": {[]string{"-c", job, "-set", "seed=x", "-set", "sede=1"}, "-set seed=x: seed: must be a whole number, not the text \"x\"\n" +
			"-set sede=1: unknown key \"sede\" (did you mean \"seed\"?)\n"},
		"argument": {[]string{job}, "pipeline: unexpected argument \"../../run.toml\": name the run's file with -c\n"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := launch(t, never, c.args...)
			assert.Equal(t, 2, status)
			assert.Equal(t, c.stderr, stderr)
		})
	}
	status, _, stderr := launch(t, never, "-sett", "x")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "-sett")
	status, _, stderr = launch(t, never, "-h")
	assert.Equal(t, 0, status)
	assert.Contains(t, stderr, "key=value")
}

func TestSettingsReachTheRun(t *testing.T) {
	var got *config.Config
	status, _, _ := launch(t, func(_ context.Context, c *config.Config, _ pipeline.Options) (*report.Report, error) {
		got = c
		return nil, nil
	}, "-c", job, "-set", "seed=7", "-set", "stage.hidden.distil.steps=40")
	require.Equal(t, 0, status)
	assert.Equal(t, 7, got.Seed)
	assert.Equal(t, 40, got.Stages[2].Distil.Steps)
}

// The first signal ends the context, and the run may save before it returns. The status says which signal it was.
func TestInterrupt(t *testing.T) {
	heard()
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		saved := false
		status, stdout, stderr := launch(t, func(ctx context.Context, _ *config.Config, o pipeline.Options) (*report.Report, error) {
			o.Events.Emit(event.Phase{Stage: "blocks", Name: "distil"})
			require.NoError(t, syscall.Kill(os.Getpid(), signal))
			<-ctx.Done()
			saved = true
			return nil, ctx.Err()
		}, "-c", job)
		assert.Equal(t, want, status)
		assert.True(t, saved)
		assert.True(t, strings.HasPrefix(stdout, "stopping as soon as the run is saved"), stdout)
		assert.Contains(t, stderr, "the same command goes on")
	}
}
