package distillation_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// Of each row the file holds some logits, their tokens and the mass of all others; the loss against them is that against the
// teacher's own, wherever the pictures are in the file.
func TestTopKOutputsAreTheTeachers(t *testing.T) {
	torchtest.Setup(t)
	w, folder := newWriter(t), t.TempDir()
	w.form = distillation.OutputForm{TopK: 3, Temperatures: []float64{1, 2}}
	require.NoError(t, w.write(t, folder, distillation.Keep{}, nil))
	o, err := w.open(folder)
	require.NoError(t, err)
	defer o.Close()
	info, err := os.Stat(filepath.Join(folder, "outputs.rows"))
	require.NoError(t, err)
	assert.EqualValues(t, modeltest.RefTinyBatch(t, w.io, 0, 4, false).Targets.Count()*(3*(2+4)+2*4), info.Size())
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			third, second := modeltest.RefTinyBatch(t, w.io, 2, 3, false), modeltest.RefTinyBatch(t, w.io, 1, 2, false)
			teacher, targets := torch.Cat(0, w.m.Logits(third), w.m.Logits(second)), torch.Cat(0, third.Targets, second.Targets)
			student := torch.NewGenerator(1).Randn(teacher.Shape()...)
			for _, temperature := range w.form.Temperatures {
				l := distillation.Loss{KL: 1, Temperature: temperature, Correct: .5}
				want := l.Of(student, distillation.TopK(teacher, targets, w.form), targets, nil)
				torchtest.Within(t, want, l.Of(student, o.Teacher([]int{2, 1}, torch.CPU), targets, nil), 1./256, 0, "float16 rounds to 11 bits")
			}
		})
		return nil
	}))
}

// What is asked for must be less than all there is.
func TestTopKOfAllTokens(t *testing.T) {
	torchtest.Setup(t)
	w := newWriter(t)
	w.form = distillation.OutputForm{TopK: w.m.Config().Text.Vocabulary, Temperatures: []float64{1}}
	require.ErrorContains(t, w.write(t, t.TempDir(), distillation.Keep{}, nil), "keep fewer, or all logits")
}

// Beyond float16's range the kept logits are in float32, as all logits would be.
func TestTopKOutputsBeyondFloat16(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.RefTiny(t)
	const times = 1 << 20
	teacher := &far{Network: m, form: distillation.OutputForm{TopK: 3, Temperatures: []float64{1}}}
	folder := t.TempDir()
	notes, err := teacher.write(t, folder, distillation.Keep{}, times, never)
	require.NoError(t, err)
	assert.Len(t, notes, 1)
	o, err := distillation.OpenOutputs(folder, nil)
	require.NoError(t, err)
	defer o.Close()
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			b := modeltest.RefTinyBatch(t, modeltest.RefTinyFile(t, "io"), 2, 4, false)
			want := distillation.TopK(m.Logits(b).MulScalar(times), b.Targets, teacher.form).Logits()
			assert.Equal(t, want.Floats(), o.Teacher([]int{2, 3}, torch.CPU).Logits().Floats())
		})
		return nil
	}))
}
