package distillation_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// far is a teacher whose logits are times as large.
type far struct {
	model.Network
	times float64
	form  distillation.OutputForm
}

func (f *far) Head(hidden *torch.Tensor) *torch.Tensor {
	return f.Network.Head(hidden).MulScalar(f.times)
}

// write writes the outputs of four pictures, two at a time, the last two times as large. stop tells whether a batch ends the
// work; it is asked before each, and told how many times a pass began.
func (f *far) write(t *testing.T, folder string, keep distillation.Keep, times float64, stop func(pass, from int) bool) (notes []string, err error) {
	io, pass := modeltest.RefTinyFile(t, "io"), 0
	err = distillation.WriteOutputs(folder, f, f.form, nil, keep, func(text string) { notes = append(notes, text) }, func(from int, yield func(*model.Batch) error) error {
		pass++
		return torch.Run(func(*torch.Scope) error {
			for i := from; i < 4; i += 2 {
				if stop(pass, i) {
					return errStopped
				}
				f.times = 1
				if i == 2 {
					f.times = times
				}
				if err := yield(modeltest.RefTinyBatch(t, io, i, i+2, false)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return notes, err
}

var errStopped = errors.New("stopped")

func never(int, int) bool { return false }

// Where one output lies beyond float16's range, all are kept in float32, bit for bit, also when the work was interrupted before
// or after that was found.
func TestOutputsBeyondFloat16(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.RefTiny(t)
	teacher := &far{Network: m}
	whole := t.TempDir()
	const times = 1 << 20
	notes, err := teacher.write(t, whole, distillation.Keep{}, times, never)
	require.NoError(t, err)
	require.Len(t, notes, 1)
	assert.Contains(t, notes[0], "beyond 65,504")
	o, err := distillation.OpenOutputs(whole, nil)
	require.NoError(t, err)
	defer o.Close()
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			io := modeltest.RefTinyFile(t, "io")
			near, beyond := m.Logits(modeltest.RefTinyBatch(t, io, 0, 2, false)), m.Logits(modeltest.RefTinyBatch(t, io, 2, 4, false)).MulScalar(times)
			assert.Greater(t, slices.Max(beyond.Floats()), 65504.)
			assert.Equal(t, near.Floats(), o.Teacher([]int{0, 1}, torch.CPU).Logits().Floats())
			assert.Equal(t, beyond.Floats(), o.Teacher([]int{2, 3}, torch.CPU).Logits().Floats())
		})
		return nil
	}))
	for name, c := range map[string]struct {
		stop func(pass, from int) bool
		told int // notes of the next attempt
	}{
		"before it is found": {func(_, from int) bool { return from == 2 }, 1},
		"at once":            {func(pass, from int) bool { return pass == 2 && from == 0 }, 1},
		"after it":           {func(pass, from int) bool { return pass == 2 && from == 2 }, 0},
	} {
		folder, keep := t.TempDir(), distillation.Keep{Folder: filepath.Join(t.TempDir(), "state"), Steps: 2}
		_, err := teacher.write(t, folder, keep, times, c.stop)
		require.ErrorIs(t, err, errStopped, name)
		notes, err := teacher.write(t, folder, keep, times, never)
		require.NoError(t, err, name)
		assert.Len(t, notes, c.told, name)
		requireFiles(t, whole, folder)
	}
}

// A teacher whose outputs are no numbers is refused; one that float16 limits is told what helps.
func TestOutputsThatAreNoNumbers(t *testing.T) {
	torchtest.Setup(t)
	teacher := &far{Network: modeltest.RefTiny(t)}
	_, err := teacher.write(t, t.TempDir(), distillation.Keep{}, math.NaN(), never)
	require.ErrorContains(t, err, "logits for pictures 2 to 3 (counted from 0) hold NaN or infinite values")
	assert.NotContains(t, err.Error(), "float16")

	half, err := model.Convert(teacher.Network, torch.Float16, torch.CPU)
	require.NoError(t, err)
	defer half.Store().Free()
	_, err = (&far{Network: half}).write(t, t.TempDir(), distillation.Keep{}, 1<<20, never)
	require.ErrorContains(t, err, "float16 ends at 65,504; convert the checkpoint to bfloat16 or float32")
}
