package distillation

import "espalier/torch"

// AtOnce is how many logits a loss takes at a time: it makes some ten tensors of their size, and a large vocabulary has 32,000
// of them for each token.
const AtOnce = 1 << 21

// inChunks computes the loss of so many logits that they must not be all at work at the same time. The gradient of each chunk
// of rows is computed at once, while its intermediate results are there, and kept in one tensor for backward.
func (l Loss) inChunks(r rows, whole Rows) *torch.Tensor {
	n, size := r.student.Size(0), max(1, AtOnce/r.student.Size(1))
	learns := r.student.RequiresGrad() && torch.GradEnabled()
	var gradient *torch.Tensor
	if learns {
		gradient = torch.Zeros(r.student.Shape(), r.student.DType(), r.student.Device())
	}
	var labelled []int64
	if r.labelled != nil {
		labelled = torch.Values[int64](r.labelled)
	}
	var total float64
	for from := 0; from < n; from += size {
		to := min(from+size, n)
		err := torch.Run(func(*torch.Scope) error {
			part := r.slice(from, to, labelled)
			part.student.SetRequiresGrad(learns)
			loss := l.of(part, whole)
			total += loss.Item()
			if loss.RequiresGrad() {
				loss.Backward()
				torch.NoGrad(func() { gradient.Slice(0, from, to).CopyFrom(part.student.Grad()) })
			}
			return nil
		})
		if err != nil {
			panic(err) // an operation's, on its way to the caller's border
		}
	}
	value := torch.Full(nil, total, float(r.student.Slice(0, 0, 1)).DType(), r.student.Device())
	if !learns {
		return value
	}
	return value.Add(carrying(r.student, gradient))
}

// slice is some of the rows, cut off from the forward that they come from. labelled are the values of r.labelled.
func (r rows) slice(from, to int, labelled []int64) rows {
	part := rows{student: r.student.Detach().Slice(0, from, to), targets: r.targets.Slice(0, from, to)}
	if r.teacher != nil {
		part.teacher = r.teacher.slice(from, to)
	}
	if r.labelled != nil {
		own := []int64{}
		for _, i := range labelled {
			if int64(from) <= i && i < int64(to) {
				own = append(own, i-int64(from))
			}
		}
		part.labelled = torch.From(own, r.labelled.Device(), len(own))
	}
	return part
}

// carrying is a scalar 0 whose gradient with respect to x is a given tensor. The product of a row and a column makes no other
// tensor of their size.
func carrying(x, gradient *torch.Tensor) *torch.Tensor {
	product := x.Reshape(1, -1).MatMul(gradient.Reshape(-1, 1)).Sum()
	return float(product.Sub(product.Detach()))
}
