package distillation

import (
	"fmt"

	"espalier/model"
	"espalier/torch"
)

// A row of outputs of this kind is k logits, their tokens in four bytes each, and at each temperature the logsumexp of all
// other logits, in float32.
const kindTopK = "top-k"

func topKBytes(size, k, temperatures int) int64 { return int64((size+4)*k + 4*temperatures) }

// TopK is a teacher of whose logits [n, vocabulary] a form keeps some: the right token's, which is the first, and the strongest
// others'.
func TopK(all, targets *torch.Tensor, form OutputForm) *Teacher {
	all = float(all)
	t := &Teacher{rest: map[float64]*torch.Tensor{}}
	_, t.kept = all.Scatter(-1, targets.Unsqueeze(-1), plusInfinity).TopK(form.TopK, -1)
	t.rows = all.Gather(-1, t.kept)
	others := all.Scatter(-1, t.kept, minusInfinity)
	for _, temperature := range form.Temperatures {
		t.rest[temperature] = others.MulScalar(1 / temperature).LogSumExp(-1)
	}
	return t
}

// topK is the rows of a batch's hidden states. The logits are there for some rows at a time.
func (w *outputsWriter) topK(teacher model.Network, hidden *torch.Tensor, b *model.Batch) (raw []byte, err error) {
	k, vocabulary := w.form.TopK, teacher.Head(hidden.Slice(0, 0, 1)).Size(-1)
	if k >= vocabulary {
		return nil, fmt.Errorf("the %d strongest of %d tokens are all: keep fewer, or all logits", k, vocabulary)
	}
	w.index.Kind, w.index.Width, w.index.Temperatures = kindTopK, k, w.form.Temperatures
	size := max(1, AtOnce/vocabulary)
	for from := 0; from < hidden.Size(0) && err == nil; from += size {
		err = torch.Run(func(*torch.Scope) error {
			to := min(from+size, hidden.Size(0))
			top := TopK(teacher.Head(hidden.Slice(0, from, to)), b.Targets.Slice(0, from, to), w.form)
			logits, err := w.inRange(top.rows, len(b.Scored))
			if err != nil {
				return err
			}
			w.index.DType = logits.DType().String()
			columns := [][]byte{logits.Raw(), top.kept.To(torch.Int32).Raw()}
			for _, t := range w.form.Temperatures {
				columns = append(columns, top.rest[t].To(torch.Float32).Raw())
			}
			raw = append(raw, interleave(columns, to-from)...)
			return nil
		})
	}
	return raw, err
}

// interleave makes rows of columns.
func interleave(columns [][]byte, rows int) (out []byte) {
	for i := range rows {
		for _, c := range columns {
			width := len(c) / rows
			out = append(out, c[i*width:(i+1)*width]...)
		}
	}
	return out
}

// topK takes rows apart.
func (o *Outputs) topK(raw []byte, on torch.Device) *Teacher {
	size, k, temperatures := o.dtype.Size(), o.index.Width, o.index.Temperatures
	rows := len(raw) / int(o.index.rowBytes())
	var logits, tokens []byte
	rest := make([][]byte, len(temperatures))
	for len(raw) > 0 {
		logits, raw = append(logits, raw[:size*k]...), raw[size*k:]
		tokens, raw = append(tokens, raw[:4*k]...), raw[4*k:]
		for i := range rest {
			rest[i], raw = append(rest[i], raw[:4]...), raw[4:]
		}
	}
	t := &Teacher{rows: torch.FromBytes(logits, o.dtype, on, rows, k), kept: torch.FromBytes(tokens, torch.Int32, on, rows, k).To(torch.Int64),
		rest: map[float64]*torch.Tensor{}}
	for i, temperature := range temperatures {
		t.rest[temperature] = torch.FromBytes(rest[i], torch.Float32, on, rows)
	}
	return t
}
