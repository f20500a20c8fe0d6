package distillation

import (
	"fmt"
	"math"

	"espalier/torch"
)

// divergence is the mean over rows of the loss's divergence between teacher and student, times the temperature's square, so
// that its gradient keeps its size.
func (l Loss) divergence(r rows) *torch.Tensor {
	temperature := l.Temperature
	if temperature == 0 {
		temperature = 1
	}
	p, q := r.teacher.logProbabilities(float(r.student), temperature)
	if l.Correct != 0 {
		p = l.corrected(p, r)
	}
	return divergence(p, q, l.Form).Sum(-1).Mean().MulScalar(temperature * temperature)
}

// divergence is what each class v adds to the divergence of a student's log-probabilities q from a teacher's p:
//
//	forward  p (log p − log q): the student must cover all that the teacher thinks possible
//	reverse  q (log q − log p): the student must keep to what the teacher thinks possible (Gu et al., 2024)
//	js       ½ p (log p − log m) + ½ q (log q − log m), where m = ½ (p + q): between both, and bounded (Agarwal et al., 2024)
func divergence(p, q *torch.Tensor, form string) *torch.Tensor {
	switch form {
	case "", "forward":
		return p.Exp().Mul(p.Sub(q))
	case "reverse":
		return q.Exp().Mul(q.Sub(p))
	case "js":
		ep, eq := p.Exp(), q.Exp()
		m := ep.Add(eq).MulScalar(.5).ClampMin(least).Log()
		return ep.Mul(p.Sub(m)).Add(eq.Mul(q.Sub(m))).MulScalar(.5)
	}
	panic(&torch.Error{Op: "divergence", Kind: torch.KindMisuse, Message: fmt.Sprintf("unknown form %q; there are forward, reverse, js", form)})
}

// least is a probability whose logarithm is finite in float32: what is below it adds nothing to a divergence.
const least = 1e-37

// corrected is the teacher's log-probabilities p with its errors put right. In each row with a label of the data's whose
// strongest token is another than the label, p becomes (1 − c) p + c [label], where c is Correct. Other rows stay as they are.
// The label's share is not softened by the temperature.
func (l Loss) corrected(p *torch.Tensor, r rows) *torch.Tensor {
	best, label := r.teacher.choices(p, r.targets)
	wrong := best.Eq(label).Not()
	if r.labelled != nil {
		none := torch.Zeros(label.Shape(), torch.Int64, label.Device())
		wrong = wrong.And(none.Scatter(0, r.labelled, 1).EqScalar(1))
	}
	right := torch.Zeros(p.Shape(), p.DType(), p.Device()).Scatter(-1, label.Unsqueeze(-1), l.Correct)
	mixed := p.AddScalar(math.Log1p(-l.Correct)).Exp().Add(right).ClampMin(least).Log()
	return torch.Where(wrong.Unsqueeze(-1), mixed, p)
}
