package families

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/runtest"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/optim"
	"espalier/torch/torchtest"
)

// drawnBatch is pictures with questions and answers that follow from a seed.
func drawnBatch(m model.Network, seed uint64, pictures int) (*model.Batch, error) {
	r := rand.New(rand.NewPCG(seed, 1))
	ids := func(n int) (out []int) {
		for range n {
			out = append(out, 2+r.IntN(38)) // the Q-Former's vocabulary is the smaller one
		}
		return out
	}
	questions := make([][]model.Question, pictures)
	for i := range questions {
		for range 2 {
			questions[i] = append(questions[i], model.Question{Prompt: ids(4), Answer: ids(3), Instruction: ids(4)})
		}
	}
	size := m.Config().Vision.Image
	return m.Form().Pack(torch.NewGenerator(seed).Randn(pictures, 3, size, size), questions, torch.CPU)
}

// klOf is the student's KL from the teacher on pictures and questions that it was not trained on.
func klOf(t *testing.T, teacher, student model.Network) (kl float64) {
	t.Helper()
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		b, err := drawnBatch(teacher, 1<<32, 64)
		if err != nil {
			return err
		}
		torch.NoGrad(func() {
			kl = distillation.Loss{KL: 1, Temperature: 1}.Of(student.Logits(b), distillation.Logits(teacher.Logits(b)), b.Targets, nil).Item()
		})
		return nil
	}))
	return kl
}

// After each of the three stages, distillation at least halves the student's KL from the teacher on held-out inputs.
func TestDistillationRecoversEveryFamily(t *testing.T) {
	if testing.Short() {
		t.Skip("trains fifteen students")
	}
	stages := [][]nn.Kind{{nn.Blocks}, {nn.Heads, nn.FFN}, {nn.Hidden}}
	for _, f := range runtest.Families {
		t.Run(f[0]+" "+f[1], func(t *testing.T) {
			torchtest.Setup(t)
			teacher := runtest.Network(t, f[0], f[1], 64)
			var student model.Network = teacher
			for i, kinds := range stages {
				plan := pruning.Plan{Keep: map[string][]int{}}
				for _, a := range student.Store().Axes() {
					for _, k := range kinds {
						if a.Kind == k {
							scores := make([]float64, a.Units())
							n := (max(1, a.Units()/2) + a.Multiple() - 1) / a.Multiple() * a.Multiple()
							var err error
							plan.Keep[a.Name], err = pruning.Choose(a, scores, n)
							require.NoError(t, err)
						}
					}
				}
				after, err := pruning.Apply(student, plan)
				require.NoError(t, err)
				require.NoError(t, after.Store().Own(torch.Float32))
				if student != teacher {
					student.Store().Free()
				}
				student = after
				before := klOf(t, teacher, student)
				o := distillation.Options{Steps: 100, LR: 4e-3, Clip: 1, Schedule: optim.WarmupCosine(100, .05, .02), Device: torch.CPU}
				require.NoError(t, second(distillation.Train(context.Background(), student.Store().Tensors(), o, func(at distillation.At, _ func(func())) (*torch.Tensor, error) {
					b, err := drawnBatch(teacher, uint64(1000*i+at.Step), 16)
					if err != nil {
						return nil, err
					}
					var want *torch.Tensor
					torch.NoGrad(func() { want = teacher.Logits(b) })
					return distillation.Loss{KL: 1, Temperature: 1}.Of(student.Logits(b), distillation.Logits(want), b.Targets, nil), nil
				})))
				kl := klOf(t, teacher, student)
				t.Logf("%v: KL %.3g → %.3g", kinds, before, kl)
				assert.LessOrEqual(t, kl, before/2, "%v", kinds)
			}
			student.Store().Free()
		})
	}
}

func second[T any](_ T, err error) error { return err }
