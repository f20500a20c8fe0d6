package distillation_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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

// writer writes a network's outputs of the four pictures of ref_tiny, two at a time.
type writer struct {
	m      model.Network
	pieces *torch.Pieces // nil: memory is never short
	io     map[string]*torch.Tensor
	from   int // where the last call began
	notes  []string
	form   distillation.OutputForm
}

func newWriter(t *testing.T) *writer {
	return &writer{m: modeltest.RefTiny(t), io: modeltest.RefTinyFile(t, "io")}
}

// write ends with stop, unless that is nil, when half of the pictures are done.
func (w *writer) write(t *testing.T, folder string, keep distillation.Keep, stop error) error {
	w.notes = nil
	return distillation.WriteOutputs(folder, w.m, w.form, w.pieces, keep, func(text string) { w.notes = append(w.notes, text) }, func(from int, yield func(*model.Batch) error) error {
		w.from = from
		return torch.Run(func(*torch.Scope) error {
			for i := from; i < 4; i += 2 {
				if i == 2 && stop != nil {
					return stop
				}
				if err := yield(modeltest.RefTinyBatch(t, w.io, i, i+2, false)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (w *writer) open(folder string) (*distillation.Outputs, error) {
	return distillation.OpenOutputs(folder, func() (func(*torch.Tensor) *torch.Tensor, error) { return w.m.Head, nil })
}

// requireFiles fails unless two folders hold the same outputs.
func requireFiles(t *testing.T, want, got string) {
	t.Helper()
	for _, name := range []string{"outputs.rows", "outputs.json"} {
		w, err := os.ReadFile(filepath.Join(want, name))
		require.NoError(t, err)
		g, err := os.ReadFile(filepath.Join(got, name))
		require.NoError(t, err)
		require.Equal(t, w, g, name)
	}
}

func TestOutputsAreTheTeachers(t *testing.T) {
	torchtest.Setup(t)
	w, folder := newWriter(t), t.TempDir()
	require.NoError(t, w.write(t, folder, distillation.Keep{}, nil))
	o, err := w.open(folder)
	require.NoError(t, err)
	defer o.Close()
	assert.Equal(t, 4, o.Pictures())
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			third, second := modeltest.RefTinyBatch(t, w.io, 2, 3, false), modeltest.RefTinyBatch(t, w.io, 1, 2, false)
			want := torch.Cat(0, w.m.Logits(third), w.m.Logits(second))
			torchtest.Within(t, want, o.Teacher([]int{2, 1}, torch.CPU).Logits(), 1./1024, 0, "float16 rounds to 11 bits")
		})
		return nil
	}))
}

// Interrupted between batches, the same files come out, and what was computed is not computed again.
func TestOutputsGoOnExactly(t *testing.T) {
	torchtest.Setup(t)
	w := newWriter(t)
	for _, w.form = range []distillation.OutputForm{{}, {TopK: 3, Temperatures: []float64{1, 2}}} {
		whole, folder := t.TempDir(), t.TempDir()
		require.NoError(t, w.write(t, whole, distillation.Keep{}, nil))
		keep := distillation.Keep{Folder: filepath.Join(t.TempDir(), "state")}
		for _, from := range []int{0, 2} {
			require.ErrorIs(t, w.write(t, folder, keep, context.Canceled), context.Canceled)
			assert.Equal(t, from, w.from)
			assert.NoFileExists(t, filepath.Join(folder, "outputs.json"), "they are not whole")
		}
		require.NoError(t, w.write(t, folder, keep, nil))
		assert.Equal(t, 2, w.from)
		assert.Empty(t, w.notes)
		requireFiles(t, whole, folder)
	}
}

// Rows or a place that are not as they were written are named, and not used.
func TestDamagedOutputsAreComputedAgain(t *testing.T) {
	torchtest.Setup(t)
	w, whole := newWriter(t), t.TempDir()
	require.NoError(t, w.write(t, whole, distillation.Keep{}, nil))
	for name, damage := range map[string]func(text []byte) []byte{
		"outputs.rows": func(text []byte) []byte { text[len(text)/2] ^= 4; return text },
		"cut":          func(text []byte) []byte { return text[:len(text)-1] },
		"place.json":   func(text []byte) []byte { text[len(text)/2] ^= 1; return text },
	} {
		folder, keep := t.TempDir(), distillation.Keep{Folder: filepath.Join(t.TempDir(), "state")}
		require.ErrorIs(t, w.write(t, folder, keep, context.Canceled), context.Canceled)
		path := filepath.Join(folder, "outputs.rows")
		if name == "place.json" {
			path = filepath.Join(keep.Folder, name)
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, damage(text), 0o644))
		require.NoError(t, w.write(t, folder, keep, nil))
		assert.Equal(t, 0, w.from, name)
		require.Len(t, w.notes, 1, name)
		assert.Contains(t, w.notes[0], "the outputs are computed from the beginning")
		assert.Contains(t, w.notes[0], path)
		requireFiles(t, whole, folder)
	}
}

// That their state cannot be kept is told, and the outputs are whole all the same.
func TestOutputsWhoseStateCannotBeKept(t *testing.T) {
	torchtest.Setup(t)
	w, whole, folder := newWriter(t), t.TempDir(), t.TempDir()
	require.NoError(t, w.write(t, whole, distillation.Keep{}, nil))
	defer disk.Intercept(func(op disk.Op, path string) error {
		if op == disk.OpRename && filepath.Base(path) == "place.json" {
			return os.ErrPermission
		}
		return nil
	})()
	require.NoError(t, w.write(t, folder, distillation.Keep{Folder: filepath.Join(t.TempDir(), "state"), Steps: 2}, nil))
	require.Len(t, w.notes, 2)
	assert.Contains(t, w.notes[0], "the state after 2 pictures cannot be kept")
	requireFiles(t, whole, folder)
}

// A file that shrinks under a run is an error that names it.
func TestOutputsThatShrink(t *testing.T) {
	torchtest.Setup(t)
	w, folder := newWriter(t), t.TempDir()
	require.NoError(t, w.write(t, folder, distillation.Keep{}, nil))
	o, err := w.open(folder)
	require.NoError(t, err)
	defer o.Close()
	require.NoError(t, os.Truncate(filepath.Join(folder, "outputs.rows"), 10))
	err = torch.Run(func(*torch.Scope) error {
		o.Teacher([]int{3}, torch.CPU)
		return nil
	})
	require.ErrorContains(t, err, "outputs.rows cannot be read")
	_, err = w.open(folder)
	require.ErrorContains(t, err, "has 10 bytes")
}

// little is a network in too little memory for more than one picture at once.
type little struct{ model.Network }

func (l little) Hidden(b *model.Batch) *torch.Tensor {
	if b.Pictures.Size(0) > 1 {
		panic(&torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: "no room for 64 bytes"})
	}
	return l.Network.Hidden(b)
}

// Where memory is short the outputs are computed picture by picture, also after an interruption.
func TestOutputsInPieces(t *testing.T) {
	torchtest.Setup(t)
	w := newWriter(t)
	w.m = modeltest.Double(t, w.m)
	for k, v := range w.io {
		if v.DType() == torch.Float32 {
			w.io[k] = v.To(torch.Float64)
		}
	}
	want, got := t.TempDir(), t.TempDir()
	require.NoError(t, w.write(t, want, distillation.Keep{}, nil))

	full := w.m
	w.m = little{full}
	var short *torch.Error
	require.ErrorAs(t, w.write(t, got, distillation.Keep{}, nil), &short)
	assert.Equal(t, torch.KindMemory, short.Kind)

	w.pieces = &torch.Pieces{Most: 2, What: "teacher outputs"}
	keep, stop := distillation.Keep{Folder: t.TempDir()}, errors.New("stop")
	require.ErrorIs(t, w.write(t, got, keep, stop), stop)
	assert.Equal(t, []torch.Growth{{From: 0, Pieces: 2}}, w.pieces.Grown)
	w.m, w.pieces = full, &torch.Pieces{Most: 2} // there is enough now, and still the rest is computed as the first half was
	require.NoError(t, w.write(t, got, keep, nil))
	assert.Equal(t, 2, w.from)
	assert.Equal(t, 2, w.pieces.At(2))
	requireFiles(t, want, got)
}

// A student with fewer tokens is compared over its own: the kept columns, in their order, of logits and of what a head makes.
func TestOutputsOverKeptColumns(t *testing.T) {
	torchtest.Setup(t)
	w := newWriter(t)
	folder := t.TempDir()
	require.NoError(t, w.write(t, folder, distillation.Keep{}, nil))
	o, err := w.open(folder)
	require.NoError(t, err)
	defer o.Close()
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		all := o.Teacher([]int{2, 0}, torch.CPU).Logits()
		o.Keep([]int{1, 4, 5})
		kept := o.Teacher([]int{2, 0}, torch.CPU).Logits()
		assert.Equal(t, []int{all.Size(0), 3}, kept.Shape())
		for i, column := range []int{1, 4, 5} {
			assert.Equal(t, torch.Values[float32](all.Select(1, column).Contiguous()), torch.Values[float32](kept.Select(1, i).Contiguous()))
		}
		return nil
	}))
}
