package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/runtest"
	"espalier/torch/disk"
	"espalier/torch/torchtest"
)

// These variables make the test binary a run that counts its disk operations and events and kills itself at the n-th; see
// killedRun.
const killedAt, killedOutput = "ESPALIER_TEST_KILL_AT", "ESPALIER_TEST_OUTPUT"

func TestMain(m *testing.M) {
	if at := os.Getenv(killedAt); at != "" {
		n, _ := strconv.Atoi(at)
		moments := newMoments(func(count int, what string) error {
			if count == n {
				fmt.Println("killed at:", what)
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		})
		cfg, err := config.Parse("tiny.toml", runtest.Tiny, "output="+os.Getenv(killedOutput))
		if err == nil {
			err = runKeenly(cfg, moments.event)
		}
		fmt.Println("moments:", moments.count)
		if err != nil {
			fmt.Printf("%T: %v\n", err, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// runKeenly is a run whose trainings keep their state as often as they may, which is more often than keep_every allows: each
// of a tiny run's does so once before its end.
func runKeenly(given *config.Config, on event.Events) error {
	cfg, err := given.Resolve()
	if err != nil {
		return err
	}
	cfg.KeepEvery = 1
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := open(cfg, Options{Events: on})
	if err != nil {
		return err
	}
	_, err = r.do(context.Background())
	return errors.Join(err, r.chain.Close())
}

// moments counts disk operations and events.
type moments struct {
	count int
	at    func(count int, what string) error
}

func newMoments(at func(count int, what string) error) *moments {
	m := &moments{at: at}
	disk.Intercept(func(op disk.Op, path string) error {
		m.count++
		return m.at(m.count, op.String()+" "+path)
	})
	return m
}

func (m *moments) event(e event.Event) {
	m.count++
	if n, ok := e.(event.Note); ok {
		fmt.Println(n.Text)
	}
	_ = m.at(m.count, fmt.Sprintf("%T %+v", e, e))
}

// nowhere is a folder that cannot be made.
const nowhere = "/proc/nope"

// killedRun runs the job in a process of its own, which kills itself at the n-th moment.
func killedRun(t *testing.T, output, cache string, n int) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self, "-test.run=^$")
	c.Env = append(os.Environ(), killedAt+"="+strconv.Itoa(n), killedOutput+"="+output, "XDG_CACHE_HOME="+cache)
	out, _ := c.CombinedOutput() // killed, or done when there are fewer moments
	return string(out)
}

// Whenever a run is killed, the same command ends with the same student and the same report.
func TestKilledRuns(t *testing.T) {
	torchtest.Setup(t)
	whole := filepath.Join(t.TempDir(), "run")
	last := killedRun(t, whole, t.TempDir(), 1<<30)
	require.Contains(t, last, "moments: ")
	total, err := strconv.Atoi(strings.TrimSpace(last[strings.LastIndex(last, "moments: ")+len("moments: "):]))
	require.NoError(t, err)
	want := outcome(t, whole)
	kills := 10
	switch {
	case runtest.Every():
		kills = 100
	case testing.Short():
		kills = 3
	}
	for i := range kills {
		n := 1 + (2*i+1)*total/(2*kills)
		output, cache := filepath.Join(t.TempDir(), "run"), t.TempDir()
		if i%3 == 2 {
			cache = nowhere // results in the run's folder alone
		}
		said := killedRun(t, output, cache, n)
		require.Contains(t, said, "killed at: ", "moment %d", n)
		said += killedRun(t, output, cache, n/2+1) // and once more on the way back
		ended := killedRun(t, output, cache, 1<<30)
		require.NotContains(t, ended, "panic", said)
		assert.Equal(t, want, outcome(t, output), "moment %d of %d, %s\n%s", n, total, said, ended)
		assert.Empty(t, append(leftovers(t, output), leftovers(t, cache)...), "moment %d of %d, %s", n, total, said)
	}
}

// A run in another process is told which one has the folder.
func TestFolderOfAnotherProcess(t *testing.T) {
	torchtest.Setup(t)
	output := filepath.Join(t.TempDir(), "run")
	r, err := open(tinyConfig(t, output), Options{})
	require.NoError(t, err)
	said := killedRun(t, output, t.TempDir(), 1<<30)
	assert.Contains(t, said, fmt.Sprintf("*fault.InputError: output = %q is in use by process %d", output, os.Getpid()))
	require.NoError(t, r.chain.Close())
	assert.NotContains(t, killedRun(t, output, t.TempDir(), 1<<30), "InputError", "it is free again")
}

// leftovers are the files and folders that nobody will read: of a writer, or of a step under way.
func leftovers(t *testing.T, folder string) (found []string) {
	t.Helper()
	if folder == nowhere {
		return nil
	}
	require.NoError(t, filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if name := e.Name(); strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".aside") || name == "state" {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// timed are the keys of a report that may differ between equal runs.
var timed = map[string]bool{"seconds": true, "teacher_seconds": true, "latency_ms": true, "throughput": true, "latency_p50": true,
	"peak_rss_bytes": true, "energy": true, "reused": true}

// outcome is what a run ends with: its teacher's and student's files, and its report without times and without the folder's name.
func outcome(t *testing.T, output string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, folder := range []string{"teacher", "student"} {
		entries, err := os.ReadDir(filepath.Join(output, folder))
		require.NoError(t, err)
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(output, folder, e.Name()))
			require.NoError(t, err)
			out[folder+"/"+e.Name()] = fmt.Sprintf("%d bytes, SHA-256 %x", len(text), sha256.Sum256(text)) // a difference is shown in a line
		}
	}
	text, err := os.ReadFile(filepath.Join(output, "report.json"))
	require.NoError(t, err)
	var report map[string]any
	require.NoError(t, json.Unmarshal(text, &report))
	for _, key := range []string{"output", "keep_every"} {
		delete(report["config"].(map[string]any), key)
	}
	plain, err := json.Marshal(untimed(report))
	require.NoError(t, err)
	out["report.json"] = string(plain)
	return out
}

func untimed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, sub := range v {
			if !timed[key] {
				out[key] = untimed(sub)
			}
		}
		return out
	case []any:
		for i := range v {
			v[i] = untimed(v[i])
		}
	}
	return v
}
