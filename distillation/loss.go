// Package distillation teaches a cut network to answer as its teacher does: losses, the teacher's kept outputs, and the
// training loop.
package distillation

import "espalier/torch"

// Loss weighs the parts of the distillation loss; all are means over answer tokens.
type Loss struct {
	KL          float64 // divergence from the teacher's distribution at Temperature, times its square (Hinton et al., 2015)
	Form        string  // of the divergence: "forward" (also ""), "reverse" or "js"
	Temperature float64 // 0 means 1
	Correct     float64 // share of the label in the teacher's distribution where its strongest token is another; see corrected
	Pair        float64 // the right token before its strongest rival by Margin
	PairForm    string  // "softplus" (also ""), "hinge" or "huber"
	Margin      float64
	CE          float64 // cross entropy with the labels
}

// Rows counts the scored rows of a whole batch, of which a loss may see a piece.
type Rows struct{ All, Labelled int }

// Of is the loss of the student's logits [n, vocabulary] against the teacher (nil when KL is 0) and the right tokens
// [n]. labelled lists the rows whose right token comes from the data, int64; nil means all. The others have only the
// teacher's word: they count for KL alone.
func (l Loss) Of(student *torch.Tensor, teacher *Teacher, targets, labelled *torch.Tensor) *torch.Tensor {
	whole := Rows{All: student.Size(0), Labelled: student.Size(0)}
	if labelled != nil {
		whole.Labelled = labelled.Count()
	}
	return l.OfPiece(student, teacher, targets, labelled, whole)
}

// OfPiece is what a piece of a batch adds to [Loss.Of] of the whole, which has so many rows. A piece without a row to learn
// from adds 0, which has no gradient.
func (l Loss) OfPiece(student *torch.Tensor, teacher *Teacher, targets, labelled *torch.Tensor, whole Rows) *torch.Tensor {
	r := rows{student, teacher, targets, labelled}
	if student.Count() > AtOnce {
		return l.inChunks(r, whole)
	}
	return l.of(r, whole)
}

// rows are scored rows: the arguments of a loss.
type rows struct {
	student           *torch.Tensor
	teacher           *Teacher
	targets, labelled *torch.Tensor
}

// of computes the loss in one go.
func (l Loss) of(r rows, whole Rows) *torch.Tensor {
	student, targets := float(r.student), r.targets
	sum := torch.Zeros(nil, student.DType(), student.Device())
	n := student.Size(0)
	if l.KL != 0 && n > 0 {
		sum = sum.Add(l.divergence(r).MulScalar(l.KL * share(n, whole.All)))
	}
	if r.labelled != nil {
		n = r.labelled.Count()
		student, targets = student.IndexSelect(0, r.labelled), targets.IndexSelect(0, r.labelled)
	}
	if n == 0 {
		return sum
	}
	if l.Pair != 0 {
		sum = sum.Add(Pairwise(student, targets, l.Margin, l.PairForm).MulScalar(l.Pair * share(n, whole.Labelled)))
	}
	if l.CE != 0 {
		sum = sum.Add(CrossEntropy(student, targets).MulScalar(l.CE * share(n, whole.Labelled)))
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
