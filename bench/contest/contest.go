// Package contest makes students of one teacher in several ways on equal terms: Espalier, the method in plain PyTorch, the authors'
// recipe, Torch-Pruning, and a small network trained by itself. The ways in Python are in bench/peers.
package contest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"espalier/bench"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/report"
	"espalier/torch/disk"
)

// Contest is one contestant at work.
type Contest struct {
	Way     string         // one of Ways
	Config  *config.Config // of the run that it stands beside: data, teacher, stages, and the folder for the result
	Teacher string         // the teacher's folder
	Events  event.Events
	Log     io.Writer // what the programs in Python say
}

// device is where all contestants compute.
const device = "cpu"

// Run makes the student and leaves report.json in the configuration's folder. A contest that was finished, of the same
// teacher, data, steps and programs, ends at once.
func (c Contest) Run(ctx context.Context) error {
	if _, ok := ways[c.Way]; !ok {
		return unknownWay(c.Way)
	}
	cfg := c.Config.Clone()
	cfg.Teacher, cfg.Device = config.TeacherConfig{Checkpoint: c.Teacher}, device
	if err := checkEqualTerms(cfg); err != nil {
		return err
	}
	if c.Way == Espalier {
		cfg.Store = filepath.Join(cfg.Output, "store") // its own: what it finds ready is not in its figures
		_, err := pipeline.Run(ctx, cfg, pipeline.Options{Events: c.Events})
		return err
	}
	return c.inPython(ctx, cfg)
}

// inPython gives a program of bench/peers the job and the pictures, and makes a report of its result.
func (c Contest) inPython(ctx context.Context, cfg *config.Config) (err error) {
	runtime.LockOSThread() // scopes and autograd's modes belong to a thread
	defer runtime.UnlockOSThread()
	a, err := pipeline.OpenApart(cfg, c.Events)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	j, err := newJob(c.Way, a)
	if err != nil {
		return err
	}
	programs, err := bench.PeersPrint()
	if err != nil {
		return err
	}
	terms, err := json.MarshalIndent(terms{j, string(a.Teacher.Print()), string(a.Train.Print()), string(a.Test.Print()), programs}, "", "  ")
	if err != nil {
		return err
	}
	output := c.Config.Output
	path, kept := filepath.Join(output, "report.json"), filepath.Join(output, "terms.json")
	if old, err := os.ReadFile(kept); err == nil && bytes.Equal(old, terms) {
		if _, err := report.Read(path); err == nil {
			c.Events.Note("%s is there already, on the same terms", path)
			return nil
		}
	}
	if err := errors.Join(disk.MkdirAll(output), disk.RemoveAll(path), disk.Write(kept, terms)); err != nil {
		return err
	}
	python, err := bench.Python(ctx, func(text string) { c.Events.Note("%s", text) })
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "espalier-contest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	j.Teacher, j.Data, j.Result = c.Teacher, filepath.Join(folder, "data.safetensors"), filepath.Join(folder, "result.json")
	if err := errors.Join(bench.WritePeers(folder), writeData(j.Data, a, j)); err != nil {
		return err
	}
	r, err := c.call(ctx, python, folder, j)
	if err != nil {
		return err
	}
	done, err := reportOf(a, j, r)
	if err != nil {
		return err
	}
	if err := sameTeacher(c.Teacher, done.Teacher); err != nil {
		return err
	}
	return done.Write(path)
}

// terms is what a finished contest is known by.
type terms struct {
	Job                           *job
	TeacherPrint, Train, Test, By string
}

// call runs the program.
func (c Contest) call(ctx context.Context, python, folder string, j *job) (*result, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "job.json")
	if err := disk.Write(path, text); err != nil {
		return nil, err
	}
	run := exec.CommandContext(ctx, python, filepath.Join(folder, "contest.py"), path)
	run.Env = append(bench.Environment(os.Getenv), "OMP_NUM_THREADS="+strconv.Itoa(j.Threads), "PYTHONDONTWRITEBYTECODE=1")
	run.Stdout, run.Stderr = c.Log, c.Log
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = 10 * time.Second
	if err := run.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("contest: %s: the program in Python failed: %w; what it wrote stands before this line", c.Way, err)
	}
	if text, err = os.ReadFile(j.Result); err != nil {
		return nil, err
	}
	r := &result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("contest: %s: what the program in Python found cannot be read: %w", c.Way, err)
	}
	return r, nil
}

// TeacherFolder is the teacher's folder once it is prepared: the checkpoint that is given, or within a run beside the contests' own folders, which
// those of one teacher share.
func TeacherFolder(cfg *config.Config) (string, error) {
	if given := cfg.Teacher.Checkpoint; given != "" {
		return given, nil
	}
	text, err := json.Marshal([]any{cfg.Data, cfg.Teacher.Train, cfg.Precision, cfg.Threads})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return filepath.Join(filepath.Dir(cfg.Output), fmt.Sprintf("teacher-%d-%s", cfg.Seed, hex.EncodeToString(sum[:4])), "teacher"), nil
}

// Prepare trains the teacher, or finds it, in a run whose one stage is a cut without training, since a run has one.
func Prepare(ctx context.Context, given *config.Config, events event.Events) error {
	folder, err := TeacherFolder(given)
	if err != nil || folder == given.Teacher.Checkpoint {
		return err
	}
	cfg := given.Clone()
	cfg.Output = filepath.Dir(folder)
	if err := disk.MkdirAll(filepath.Dir(cfg.Output)); err != nil {
		return err
	}
	lock, err := disk.LockContext(ctx, cfg.Output+".lock", disk.Exclusive) // another contest may be at it
	if err != nil {
		return err
	}
	defer lock.Unlock()
	last := cfg.Stages[len(cfg.Stages)-1]
	last.Criterion, last.Cuts, last.Alpha, last.AlphaTask, last.Candidates = "magnitude", 1, 1, nil, &[]string{}
	last.Distil.Steps = 0
	cfg.Stages = config.Stages{last}
	cfg.Eval.LatencyRuns, cfg.Device = 1, device
	_, err = pipeline.Run(ctx, cfg, pipeline.Options{Events: events})
	return err
}
