package distillation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/torchtest"
)

// stepper trains a small network; hook may end the training, or give another loss.
type stepper struct {
	n     model.Network
	notes []string
	hook  func(at distillation.At, loss *torch.Tensor) *torch.Tensor
}

func newStepper(t *testing.T) *stepper {
	n, err := model.Convert(modeltest.Family(t, "blip2_opt"), torch.Float32, torch.CPU)
	require.NoError(t, err)
	t.Cleanup(n.Store().Free)
	return &stepper{n: n}
}

// train takes steps whose batches differ by their number.
func (s *stepper) train(ctx context.Context, o distillation.Options, frozen ...string) (distillation.Trained, error) {
	o.LR, o.WeightDecay, o.Clip, o.Device = 1e-2, .05, 1, torch.CPU
	o.Note = func(text string) { s.notes = append(s.notes, text) }
	return distillation.Train(ctx, s.n.Store().Tensors(frozen...), o, func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
		b, err := modeltest.Ask(s.n)()
		if err != nil {
			return nil, err
		}
		b.Pictures = b.Pictures.MulScalar(1 + float64(at.Step*max(1, o.Accumulate)+at.Part)/8)
		var logits *torch.Tensor
		cast(func() { logits = s.n.Logits(b) })
		loss := distillation.CrossEntropy(logits, b.Targets)
		if s.hook != nil {
			loss = s.hook(at, loss)
		}
		return loss, nil
	})
}

func (s *stepper) weights() string {
	var all strings.Builder
	for _, p := range s.n.Store().Params() {
		all.WriteString(string(p.T().Raw()))
	}
	return all.String()
}

// Stopped after any step, or killed after a state was kept, a training goes on to the same bits.
func TestTrainingGoesOnExactly(t *testing.T) {
	for name, c := range map[string]struct {
		o      distillation.Options
		frozen []string
	}{
		"float32":    {o: distillation.Options{Steps: 5}},
		"accumulate": {o: distillation.Options{Steps: 5, Accumulate: 2}},
		"bfloat16":   {o: distillation.Options{Steps: 5, Precision: torch.BFloat16}},
		"frozen":     {o: distillation.Options{Steps: 5}, frozen: []string{"vision", "embeddings"}},
		"average":    {o: distillation.Options{Steps: 5, Average: .9}, frozen: []string{"qformer"}},
	} {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			whole := newStepper(t)
			_, err := whole.train(context.Background(), c.o, c.frozen...)
			require.NoError(t, err)
			for stop := 1; stop < 5; stop++ {
				o := c.o
				o.Keep.Folder = filepath.Join(t.TempDir(), "state")
				ctx, cancel := context.WithCancelCause(context.Background())
				stopped := fmt.Errorf("stopped at %d", stop)
				o.Progress = func(step int, _ float64) {
					if step == stop {
						cancel(stopped)
					}
				}
				_, err := newStepper(t).train(ctx, o, c.frozen...)
				require.ErrorIs(t, err, stopped)
				again := newStepper(t)
				first := 0
				o.Progress = func(step int, _ float64) {
					if first == 0 {
						first = step
					}
				}
				_, err = again.train(context.Background(), o, c.frozen...)
				require.NoError(t, err)
				assert.Equal(t, stop+1, first)
				assert.True(t, whole.weights() == again.weights(), "stopped after step %d", stop)
			}
		})
	}
}

// A state that is damaged is named, and not used.
func TestDamagedStateIsNotUsed(t *testing.T) {
	torchtest.Setup(t)
	whole := newStepper(t)
	_, err := whole.train(context.Background(), distillation.Options{Steps: 4})
	require.NoError(t, err)
	for _, damage := range []string{"flip", "cut", "place", "digit", "gone"} {
		o := distillation.Options{Steps: 3, Keep: distillation.Keep{Folder: filepath.Join(t.TempDir(), "state"), Steps: 3}}
		_, err := newStepper(t).train(context.Background(), o)
		require.NoError(t, err)
		file := filepath.Join(o.Keep.Folder, "weights-3.safetensors")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		switch damage {
		case "flip":
			text[len(text)/2] ^= 4
			require.NoError(t, os.WriteFile(file, text, 0o644))
		case "cut":
			require.NoError(t, os.WriteFile(file, text[:len(text)/2], 0o644))
		case "place":
			require.NoError(t, os.WriteFile(filepath.Join(o.Keep.Folder, "place.json"), []byte("{"), 0o644))
		case "digit": // still JSON, and of another number of skipped steps
			place := filepath.Join(o.Keep.Folder, "place.json")
			text, err := os.ReadFile(place)
			require.NoError(t, err)
			other := strings.Replace(string(text), `"skipped":0`, `"skipped":1`, 1)
			require.NotEqual(t, string(text), other)
			require.NoError(t, os.WriteFile(place, []byte(other), 0o644))
		case "gone":
			require.NoError(t, os.Remove(file))
		}
		again := newStepper(t)
		o.Steps = 4
		_, err = again.train(context.Background(), o)
		require.NoError(t, err)
		require.NotEmpty(t, again.notes)
		assert.Contains(t, again.notes[0], "the training begins anew", damage)
		assert.True(t, whole.weights() == again.weights(), damage)
	}
}

// A training whose state cannot be written goes on, and says so; one that can be keeps the newest alone, whatever its folder's
// name.
func TestStateThatCannotBeKept(t *testing.T) {
	torchtest.Setup(t)
	whole := newStepper(t)
	_, err := whole.train(context.Background(), distillation.Options{Steps: 4})
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), "a[b", "state")
	full := errors.New("disk full")
	failing := func(op disk.Op, path string) error {
		if op == disk.OpWrite && strings.HasSuffix(path, "weights-4.safetensors") {
			return full
		}
		return nil
	}
	defer disk.Intercept(failing)()
	s := newStepper(t)
	_, err = s.train(context.Background(), distillation.Options{Steps: 4, Keep: distillation.Keep{Folder: folder, Steps: 1}})
	require.NoError(t, err)
	assert.True(t, whole.weights() == s.weights())
	require.Len(t, s.notes, 1)
	assert.Contains(t, s.notes[0], "the state of step 4 cannot be kept")
	assert.Contains(t, s.notes[0], full.Error())
	files, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(folder)), "*", "state", "*"))
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	assert.ElementsMatch(t, []string{"place.json", "weights-3.safetensors"}, names)
}

// A state of another training is not used, be it of more parameters or fewer.
func TestStateOfAnotherTraining(t *testing.T) {
	torchtest.Setup(t)
	train := func(folder string, parameters, steps int) (out []float64, notes []string) {
		var params []*torch.Tensor
		for range parameters {
			w := torch.From([]float32{1, -2}, torch.CPU)
			defer w.Free()
			params = append(params, w)
		}
		o := distillation.Options{Steps: steps, LR: .1, Keep: distillation.Keep{Folder: folder, Steps: 1}, Note: func(text string) { notes = append(notes, text) }}
		_, err := distillation.Train(context.Background(), params, o, func(distillation.At, func(func())) (*torch.Tensor, error) {
			loss := params[0].Mul(params[0]).Sum()
			for _, p := range params[1:] {
				loss = loss.Add(p.Sum())
			}
			return loss, nil
		})
		require.NoError(t, err)
		return params[0].Floats(), notes
	}
	want, _ := train("", 1, 2)
	for _, before := range []int{1, 2, 3} {
		folder := t.TempDir()
		train(folder, before, 1)
		got, notes := train(folder, 2, 2)
		assert.Equal(t, want, got)
		require.Len(t, notes, 1)
		if before == 2 {
			assert.Equal(t, "the training goes on after step 1 of 2", notes[0])
		} else {
			assert.Contains(t, notes[0], "is of another training")
		}
	}
}
