package distillation

import (
	"fmt"

	"espalier/torch"
)

// Teacher is what is known of a teacher at n answer positions.
type Teacher struct {
	rows    *torch.Tensor                     // [n, …]: logits; or what head makes logits of; or the logits of the kept tokens
	head    func(*torch.Tensor) *torch.Tensor // nil: rows are logits
	columns []int                             // of the logits that a student whose vocabulary was cut has too; nil: all
	kept    *torch.Tensor                     // int64 [n, k]: the tokens that are kept; nil: all are
	rest    map[float64]*torch.Tensor         // [n] at each temperature: logsumexp of the other tokens' logits
}

// Logits is a teacher whose logits [n, vocabulary] are at hand.
func Logits(all *torch.Tensor) *Teacher { return &Teacher{rows: all} }

// slice is the rows from one to before another.
func (t *Teacher) slice(from, to int) *Teacher {
	part := *t
	part.rows = t.rows.Slice(0, from, to)
	if t.kept != nil {
		part.kept, part.rest = t.kept.Slice(0, from, to), map[float64]*torch.Tensor{}
		for temperature, rest := range t.rest {
			part.rest[temperature] = rest.Slice(0, from, to)
		}
	}
	return &part
}

// Logits are those of the tokens that are known, in float32 or wider.
func (t *Teacher) Logits() (out *torch.Tensor) {
	out = float(t.rows)
	if t.head != nil {
		torch.NoGrad(func() { out = float(t.head(out)) })
	}
	if t.columns != nil {
		out = out.IndexSelect(1, torch.FromInts(t.columns, out.Device()))
	}
	return out
}

// logProbabilities are the teacher's and the student's at a temperature: over the vocabulary, or over the kept tokens and,
// as one last class, all others together.
func (t *Teacher) logProbabilities(student *torch.Tensor, temperature float64) (teacher, own *torch.Tensor) {
	p, q := t.Logits().MulScalar(1/temperature), student.MulScalar(1/temperature)
	if t.kept != nil {
		rest, ok := t.rest[temperature]
		if !ok {
			panic(&torch.Error{Op: "teacher outputs", Kind: torch.KindMisuse, Message: fmt.Sprintf("the mass of the tokens that are not kept is not known at temperature %g", temperature)})
		}
		p = torch.Cat(-1, p, rest.To(p.DType()).Unsqueeze(-1))
		q = torch.Cat(-1, q.Gather(-1, t.kept), q.Scatter(-1, t.kept, minusInfinity).LogSumExp(-1).Unsqueeze(-1))
	}
	return p.LogSoftmax(-1), q.LogSoftmax(-1)
}

// choices are, as classes of [Teacher.logProbabilities] p, the token that the teacher thinks best and the right one in each
// row. Of kept tokens the right one is the first.
func (t *Teacher) choices(p, targets *torch.Tensor) (best, right *torch.Tensor) {
	if t.kept == nil {
		return p.ArgMax(-1), targets
	}
	return p.Slice(-1, 0, t.kept.Size(-1)).ArgMax(-1), torch.Zeros(targets.Shape(), torch.Int64, targets.Device())
}
