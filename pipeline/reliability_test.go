package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/torch/disk"
	"espalier/torch/torchtest"
)

// every makes the tests here and in keys_test.go complete, which takes half an hour; without it they take a sample.
var every = flag.Bool("every", false, "100 kills, each operation on the disk, each file, each key")

// sample is every n-th of some numbers, or each one.
func sample(n int) int {
	if *every {
		return 1
	}
	return n
}

// killed is the job that TestKilledRuns starts in another process: it counts disk operations and events, and kills itself at
// the n-th.
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
		cfg, err := config.Parse("tiny.toml", tiny, "output="+os.Getenv(killedOutput), "keep_every=1s")
		if err == nil {
			_, err = Run(context.Background(), cfg, Options{Events: moments.event})
		}
		fmt.Println("moments:", moments.count)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
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
	_ = m.at(m.count, fmt.Sprintf("%T", e))
}

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
	if *every {
		kills = 100
	}
	for i := range kills {
		n := 1 + (2*i+1)*total/(2*kills)
		output, cache := filepath.Join(t.TempDir(), "run"), t.TempDir()
		if i%3 == 2 {
			cache = "/proc/nope" // results in the run's folder alone
		}
		said := killedRun(t, output, cache, n)
		require.Contains(t, said, "killed at: ", "moment %d", n)
		said += killedRun(t, output, cache, n/2+1) // and once more on the way back
		ended := killedRun(t, output, cache, 1<<30)
		require.NotContains(t, ended, "panic", said)
		assert.Equal(t, want, outcome(t, output), "moment %d of %d, %s\n%s", n, total, said, ended)
	}
}

// Each operation on the disk made to fail once: the run ends right, or with an error, and then the next start does.
func TestEachOperationFails(t *testing.T) {
	torchtest.Setup(t)
	run := func(n int) (map[string]string, int, error) {
		output := filepath.Join(t.TempDir(), "run")
		cfg := tinyConfig(t, output)
		count, failed := 0, ""
		restore := disk.Intercept(func(op disk.Op, path string) error {
			if count++; count == n {
				failed = op.String() + " " + path
				return errors.New("made to fail")
			}
			return nil
		})
		_, err := runWith(context.Background(), cfg, nil)
		restore()
		if err != nil {
			assert.ErrorContains(t, err, "made to fail", "operation %d, %s", n, failed)
			_, err = runWith(context.Background(), cfg, nil)
		}
		require.NoError(t, err, "operation %d, %s", n, failed)
		return outcome(t, output), count, err
	}
	want, total, err := run(0)
	require.NoError(t, err)
	for n := 1; n <= total; n += sample(max(1, total/8)) {
		got, _, _ := run(n)
		require.Equal(t, want, got, "operation %d of %d", n, total)
	}
}

// A changed or missing half of any file of a finished run is found, and mended.
func TestDamagedRuns(t *testing.T) {
	torchtest.Setup(t)
	output := filepath.Join(t.TempDir(), "run")
	cfg := tinyConfig(t, output)
	cfg.Store = filepath.Join(t.TempDir(), "store")
	_, err := runWith(context.Background(), cfg, nil)
	require.NoError(t, err)
	want := outcome(t, output)
	var files []string
	for _, root := range []string{output, cfg.Store} {
		require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && !strings.Contains(path, "/.lock") {
				files = append(files, path)
			}
			return err
		}))
	}
	for i, file := range files {
		if i%sample(13) > 0 {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if i%2 == 0 {
			text = text[:len(text)/2]
		} else {
			text[len(text)/2] ^= 1
		}
		require.NoError(t, os.WriteFile(file, text, 0o644))
		notes := ""
		_, err = runWith(context.Background(), cfg, func(e event.Event) {
			if n, ok := e.(event.Note); ok {
				notes += n.Text + "\n"
			}
		})
		require.NoError(t, err, file)
		require.Equal(t, want, outcome(t, output), file)
		if strings.Contains(file, "result.json") || strings.Contains(file, "SUMS") || strings.HasPrefix(file, cfg.Store) && !strings.HasSuffix(file, "files.json") {
			assert.Contains(t, notes, filepath.Dir(file), "it is named")
		}
	}
}

// timed are the keys of a report that may differ between equal runs.
var timed = map[string]bool{"seconds": true, "teacher_seconds": true, "latency_ms": true, "throughput": true, "latency_p50": true,
	"peak_rss_bytes": true, "energy": true, "reused": true}

// outcome is what a run ends with: its student's files, and its report without times and without the folder's name.
func outcome(t *testing.T, output string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(output, "student"))
	require.NoError(t, err)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(output, "student", e.Name()))
		require.NoError(t, err)
		out[e.Name()] = string(text)
	}
	text, err := os.ReadFile(filepath.Join(output, "report.json"))
	require.NoError(t, err)
	var report map[string]any
	require.NoError(t, json.Unmarshal(text, &report))
	delete(report["config"].(map[string]any), "output")
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
