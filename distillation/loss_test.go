package distillation_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// scored picks the rows of logits for the fixture's padded answers that are no padding.
func scored(io map[string]*torch.Tensor, logits *torch.Tensor) (rows, targets *torch.Tensor) {
	var at []int
	for i, id := range torch.Values[int64](io["answers"]) {
		if id != 0 {
			at = append(at, i)
		}
	}
	index := torch.FromInts(at, torch.CPU)
	return logits.Flatten(0, 2).IndexSelect(0, index), io["answers"].Flatten(0, 2).IndexSelect(0, index)
}

func TestLossesEqualReference(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		io, want := modeltest.RefTinyFile(t, "io"), modeltest.RefTinyTruth(t)
		student, targets := scored(io, want.Values["logits"])
		teacher, _ := scored(io, io["teacher_logits"])
		for _, d := range []torch.DType{torch.Float64, torch.Float32} {
			student, teacher := student.To(d), teacher.To(d)
			for name, l := range map[string]distillation.Loss{"kl_loss": {KL: 1}, "pair_loss": {Pair: 1}, "ce_loss": {CE: 1}} {
				want.Check(t, name, l.Of(student, distillation.Logits(teacher), targets, nil))
			}
		}
		sum := distillation.Loss{KL: 2, Pair: 3, CE: .5}.Of(student, distillation.Logits(teacher.To(torch.Float64)), targets, nil)
		parts := want.Values["kl_loss"].MulScalar(2).Add(want.Values["pair_loss"].MulScalar(3)).Add(want.Values["ce_loss"].MulScalar(.5))
		torchtest.Same(t, parts, sum)
	})
}

func klOf(student, teacher *torch.Tensor, temperature float64) *torch.Tensor {
	return distillation.Loss{KL: 1, Temperature: temperature}.Of(student, distillation.Logits(teacher), nil, nil)
}

func TestLossesByHand(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		logits := torch.From([]float64{1, 3, 0, 2, 2.5, -1}, torch.CPU, 2, 3)
		targets := torch.From([]int64{0, 1}, torch.CPU)
		// Strongest rival minus right: 3 − 1 = 2 and 2 − 2.5 = −.5.
		assert.InDelta(t, 1., distillation.Pairwise(logits, targets, 0, "hinge").Item(), 1e-12)
		assert.InDelta(t, (3+.5)/2, distillation.Pairwise(logits, targets, 1, "hinge").Item(), 1e-12)
		assert.InDelta(t, (2.5+.125)/2, distillation.Pairwise(logits, targets, 1, "huber").Item(), 1e-12)
		assert.InDelta(t, (math.Log1p(math.Exp(2))+math.Log1p(math.Exp(-.5)))/2, distillation.Pairwise(logits, targets, 0, "softplus").Item(), 1e-12)
		margin := (math.Log(math.Exp(3)+1) - 1 + math.Log(math.Exp(2)+math.Exp(-1)) - 2.5) / 2
		assert.InDelta(t, margin, distillation.Margin(logits, targets).Item(), 1e-6)
		assert.Zero(t, klOf(logits, logits, 3).Item())
		// At temperature 2: p = softmax(0, 1), q = softmax(0, 0).
		p, q := torch.From([]float64{0, 2}, torch.CPU, 1, 2), torch.Zeros([]int{1, 2}, torch.Float64, torch.CPU)
		a := math.E / (1 + math.E)
		assert.InDelta(t, 4*(a*math.Log(2*a)+(1-a)*math.Log(2*(1-a))), klOf(q, p, 2).Item(), 1e-12)
	})
}

// Rows without a label of the data's own count for KL alone.
func TestUnlabelledRows(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		student := torch.From([]float64{1, 3, 0, 2, 2.5, -1}, torch.CPU, 2, 3)
		teacher := torch.From([]float64{0, 1, 2, 3, 4, 5}, torch.CPU, 2, 3)
		targets := torch.From([]int64{0, 1}, torch.CPU)
		l := distillation.Loss{KL: 1, Pair: 1, PairForm: "hinge"}
		kl := klOf(student, teacher, 1).Item()
		assert.InDelta(t, kl+2, l.Of(student, distillation.Logits(teacher), targets, torch.From([]int64{0}, torch.CPU)).Item(), 1e-12)
		assert.InDelta(t, kl, l.Of(student, distillation.Logits(teacher), targets, torch.From([]int64{}, torch.CPU, 0)).Item(), 1e-12)
	})
}

func TestUnknownPairForm(t *testing.T) {
	torchtest.Setup(t)
	err := torch.Run(func(*torch.Scope) error {
		distillation.Pairwise(torch.Zeros([]int{1, 2}, torch.Float32, torch.CPU), torch.From([]int64{0}, torch.CPU), 0, "hube")
		return nil
	})
	require.ErrorContains(t, err, `unknown form "hube"`)
}
