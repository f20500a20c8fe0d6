package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"espalier/distillation"
	"espalier/model"
	system "espalier/pipeline/process"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/nn"
)

// Large is what it takes to read a checkpoint, cut it and write what is left, beside a copy of its files. Both begin without the files in memory
// and end when what they wrote is on the disk.
type Large struct {
	Folder       string  `json:"folder"`
	Bytes        int64   `json:"bytes"`        // of the checkpoint's files
	Weights      int64   `json:"weights"`      // in memory
	Written      int64   `json:"written"`      // by the export
	CopySeconds  float64 `json:"copy_seconds"` // with the SHA-256 of the bytes
	PruneSeconds float64 `json:"prune_seconds"`
	LoadSeconds  float64 `json:"load_seconds"` // of these
	Peak         int64   `json:"peak"`         // of the process

	ImportanceSeconds float64 `json:"importance_seconds"` // of scores by gradient, from a picture and one question (Score)
	ImportancePeak    int64   `json:"importance_peak"`    // of the process in that, the weights included
}

// MeasureLarge cuts the units of a kind in all towers by half. It writes beside the checkpoint, which it leaves alone, and removes what it wrote.
func MeasureLarge(ctx context.Context, folder string, kind nn.Kind) (*Large, error) {
	l := &Large{Folder: folder}
	if _, err := os.ReadDir(folder); err != nil {
		return nil, &CheckpointError{err}
	}
	to, err := os.MkdirTemp(filepath.Dir(filepath.Clean(folder)), "bench-large-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(to)
	for _, f := range []func(folder, to string) error{l.copy, func(folder, to string) error { return l.prune(folder, to, kind) }} {
		if err := errors.Join(ctx.Err(), evict(folder)); err != nil {
			return nil, err
		}
		if err := f(folder, to); err != nil {
			return nil, err
		}
		if err := empty(to); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// evict asks the system to forget what it holds of a folder's files.
func evict(folder string) error {
	return each(folder, func(f *os.File) error {
		return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	})
}

// each calls a function with every file of a folder.
func each(folder string, do func(*os.File) error) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		f, err := os.Open(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		if err := errors.Join(do(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func empty(folder string) error {
	return each(folder, func(f *os.File) error { return os.Remove(f.Name()) })
}

func (l *Large) copy(folder, to string) error {
	start := time.Now()
	err := each(folder, func(from *os.File) error {
		f, err := disk.Append(filepath.Join(to, filepath.Base(from.Name())), 0)
		if err != nil {
			return err
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{f}, io.TeeReader(from, sha256.New()), make([]byte, 4<<20))
		l.Bytes += n
		return errors.Join(err, f.Sync(), f.Close())
	})
	l.CopySeconds = time.Since(start).Seconds()
	return err
}

func (l *Large) prune(folder, to string, kind nn.Kind) error {
	if err := system.ForgetPeak(); err != nil {
		return err
	}
	start := time.Now()
	net, err := model.Load(folder, torch.CPU)
	if err != nil {
		return &CheckpointError{err}
	}
	l.Weights, l.LoadSeconds = int64(net.Store().Bytes()), time.Since(start).Seconds()
	plan := pruning.Plan{Keep: map[string][]int{}}
	for _, a := range axesOf(net, kind) {
		for unit := range (a.Units() + 1) / 2 {
			plan.Keep[a.Name] = append(plan.Keep[a.Name], unit)
		}
	}
	if len(plan.Keep) == 0 {
		net.Store().Free()
		return &CheckpointError{fmt.Errorf("%s has no axis of the kind %s", folder, kind)}
	}
	after, err := pruning.ApplyFreeing(net, plan)
	if err != nil {
		return err
	}
	defer after.Store().Free()
	if err := after.Save(to); err != nil {
		return err
	}
	l.PruneSeconds, l.Peak, l.Written = time.Since(start).Seconds(), system.Peak(), int64(after.Store().Bytes())
	return nil
}

// Score measures an importance pass over the units of a kind, as a run with little memory makes it: blocks are computed a second time in backward.
func (l *Large) Score(kind nn.Kind) error {
	s, err := openSubject(l.Folder, torch.CPU)
	if err != nil {
		return &CheckpointError{err}
	}
	defer s.net.Store().Free()
	if err := system.ForgetPeak(); err != nil {
		return err
	}
	start := time.Now()
	torch.Recompute(func() {
		_, err = pruning.Importance(s.net, "gradient", axesOf(s.net, kind), pruning.Sample{Batches: 1,
			Batch: func(int) (*model.Batch, error) { return s.batch() },
			Loss: func(_ int, b *model.Batch, logits *torch.Tensor) *torch.Tensor {
				return distillation.CrossEntropy(logits, b.Targets)
			}})
	})
	l.ImportanceSeconds, l.ImportancePeak = time.Since(start).Seconds(), system.Peak()
	return err
}
