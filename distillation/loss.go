// Package distillation teaches a cut network to answer as its teacher does: losses, the teacher's kept outputs, and the
// training loop.
package distillation

import (
	"fmt"

	"espalier/torch"
)

// Loss weighs the parts of the distillation loss; all are means over answer tokens.
type Loss struct {
	KL          float64 // KL(teacher ‖ student) at Temperature, times its square (Hinton et al., 2015)
	Temperature float64 // 0 means 1
	Pair        float64 // the right token before its strongest rival by Margin
	PairForm    string  // "softplus" (also ""), "hinge" or "huber"
	Margin      float64
	CE          float64 // cross entropy with the labels
}

// Rows counts the scored rows of a whole batch, of which a loss may see a piece.
type Rows struct{ All, Labelled int }

// Of is the loss of the student's logits [n, vocabulary] against the teacher's (nil when KL is 0) and the right tokens
// [n]. labelled lists the rows whose right token comes from the data, int64; nil means all. The others have only the
// teacher's word: they count for KL alone.
func (l Loss) Of(student, teacher, targets, labelled *torch.Tensor) *torch.Tensor {
	whole := Rows{All: student.Size(0), Labelled: student.Size(0)}
	if labelled != nil {
		whole.Labelled = labelled.Count()
	}
	return l.OfPiece(student, teacher, targets, labelled, whole)
}

// OfPiece is what a piece of a batch adds to [Loss.Of] of the whole, which has so many rows. A piece without a row to learn
// from adds 0, which has no gradient.
func (l Loss) OfPiece(student, teacher, targets, labelled *torch.Tensor, whole Rows) *torch.Tensor {
	student = float(student)
	sum := torch.Zeros(nil, student.DType(), student.Device())
	rows := student.Size(0)
	if l.KL != 0 && rows > 0 {
		sum = sum.Add(KL(student, float(teacher), l.Temperature).MulScalar(l.KL * share(rows, whole.All)))
	}
	if labelled != nil {
		rows = labelled.Count()
		student, targets = student.IndexSelect(0, labelled), targets.IndexSelect(0, labelled)
	}
	if rows == 0 {
		return sum
	}
	if l.Pair != 0 {
		sum = sum.Add(Pairwise(student, targets, l.Margin, l.PairForm).MulScalar(l.Pair * share(rows, whole.Labelled)))
	}
	if l.CE != 0 {
		sum = sum.Add(CrossEntropy(student, targets).MulScalar(l.CE * share(rows, whole.Labelled)))
	}
	return sum
}

// share turns a mean over some rows into their part of the mean over all; it is exactly 1 for all.
func share(rows, of int) float64 { return float64(rows) / float64(of) }

// float lifts half precision to float32; float64 stays.
func float(t *torch.Tensor) *torch.Tensor {
	if t.DType() == torch.Float64 {
		return t
	}
	return t.To(torch.Float32)
}

// KL is Σ_v p_v (log p_v − log q_v) for the teacher's p and the student's q at a temperature, averaged over rows and
// multiplied by the temperature's square, so that its gradient keeps its size.
func KL(student, teacher *torch.Tensor, temperature float64) *torch.Tensor {
	if temperature == 0 {
		temperature = 1
	}
	p := teacher.MulScalar(1 / temperature).LogSoftmax(-1)
	q := student.MulScalar(1 / temperature).LogSoftmax(-1)
	return p.Exp().Mul(p.Sub(q)).Sum(-1).Mean().MulScalar(temperature * temperature)
}

// Pairwise is the mean of h(c − s + margin), where s is the right token's logit and c the strongest other one. h is
// log(1 + e^x), max(x, 0), or max(x, 0)² / 2 up to x = 1 and x − 1/2 beyond (Huber).
func Pairwise(logits, targets *torch.Tensor, margin float64, form string) *torch.Tensor {
	right, rival := rivals(logits, targets)
	x := rival.AMax(-1).Sub(right).AddScalar(margin)
	switch form {
	case "", "softplus":
		return x.Softplus().Mean()
	case "hinge":
		return x.ReLU().Mean()
	case "huber":
		up := x.ReLU()
		capped := up.Minimum(torch.Ones(nil, up.DType(), up.Device()))
		return capped.Mul(up.Sub(capped.MulScalar(.5))).Mean()
	}
	panic(&torch.Error{Op: "pairwise", Kind: torch.KindMisuse, Message: fmt.Sprintf("unknown form %q; there are softplus, hinge, huber", form)})
}

// CrossEntropy is the mean of −log softmax(logits)[target].
func CrossEntropy(logits, targets *torch.Tensor) *torch.Tensor {
	return float(logits).CrossEntropy(targets)
}

// Margin is the mean of logsumexp(wrong logits) − right logit: unlike cross entropy it does not saturate on a converged
// teacher.
func Margin(logits, targets *torch.Tensor) *torch.Tensor {
	right, rival := rivals(float(logits), targets)
	return rival.LogSumExp(-1).Sub(right).Mean()
}

// rivals splits logits [n, vocabulary] into the right ones [n] and all others, where the right one is minus infinity.
func rivals(logits, targets *torch.Tensor) (right, others *torch.Tensor) {
	at := targets.Unsqueeze(-1)
	return logits.Gather(-1, at).Squeeze(-1), logits.Scatter(-1, at, minusInfinity)
}
