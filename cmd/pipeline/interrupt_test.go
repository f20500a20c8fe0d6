package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/report"
)

// hangUp sends SIGHUP to this process and waits until it has come.
func hangUp(t *testing.T) {
	t.Helper()
	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGHUP)
	defer signal.Stop(came)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	<-came
}

// heard makes SIGHUP one that is not ignored, as it is where nohup has started the tests. signal.Reset would leave it ignored.
func heard() {
	undo := make(chan os.Signal, 1)
	signal.Notify(undo, syscall.SIGHUP)
	signal.Stop(undo)
}

// A closed terminal may be told several times, while the run saves.
func TestAClosedTerminal(t *testing.T) {
	heard()
	status, _, _ := launch(t, func(ctx context.Context, _ *config.Config, _ pipeline.Options) (*report.Report, error) {
		for range 5 {
			hangUp(t)
			<-ctx.Done()
		}
		return nil, ctx.Err()
	}, "-c", job)
	assert.Equal(t, 129, status)
}

// Under nohup the run goes on.
func TestNohup(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer heard()
	launch(t, func(context.Context, *config.Config, pipeline.Options) (*report.Report, error) {
		assert.True(t, signal.Ignored(syscall.SIGHUP))
		return nil, nil
	}, "-c", job)
}

// A reader of stdout that goes away ends no run: it goes on to its end and tables, and its lines are in events.jsonl.
func TestAReaderThatGoesAway(t *testing.T) {
	const form = "ESPALIER_TEST_READER"
	if args := os.Getenv(form); args != "" { // SIGPIPE comes for the real stdout alone
		given := []string{"-c", job}
		if args == "json" {
			given = append(given, "-json")
		}
		os.Exit(command(given, os.Stdout, os.Stderr, func(ctx context.Context, c *config.Config, o pipeline.Options) (*report.Report, error) {
			for range 3 {
				if _, err := telling(nil)(ctx, c, o); err != nil {
					return nil, err
				}
			}
			return sample(t), ctx.Err()
		}))
	}
	for _, args := range []string{"plain", "json"} {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, r.Close())
		run := exec.Command(os.Args[0], "-test.run=^TestAReaderThatGoesAway$")
		run.Env = append(os.Environ(), form+"="+args)
		run.Stdout = w
		var said strings.Builder
		run.Stderr = &said
		require.NoError(t, run.Run(), args)
		require.NoError(t, w.Close())
		assert.Empty(t, said.String())
	}
}

// A stdout that is full loses lines for whoever reads them: that is told once, and the command fails when the run is over.
func TestLinesThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	var stderr strings.Builder
	over := false
	status := command([]string{"-c", job, "-json"}, full, &stderr, func(ctx context.Context, c *config.Config, o pipeline.Options) (*report.Report, error) {
		for range 3 {
			_, _ = telling(nil)(ctx, c, o)
		}
		over = ctx.Err() == nil
		return sample(t), nil
	})
	assert.Equal(t, 1, status)
	assert.True(t, over)
	assert.Equal(t, 1, strings.Count(stderr.String(), "no space left on device"), stderr.String())
}
