package distillation

import (
	"errors"
	"fmt"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/checkpoint"
)

// Outputs are what the losses need of a teacher, computed once for each picture and kept in a memory-mapped file: the
// logits of every answer token, or, where the vocabulary is large, the hidden states behind them, from which the
// teacher's own head makes the logits again.
type Outputs struct {
	file    *checkpoint.SafeTensors
	head    func(*torch.Tensor) *torch.Tensor // nil when the file holds logits
	offsets []int64                           // first row of each picture, and the number of all rows
	rows    []byte
	dtype   torch.DType
	width   int
}

// hiddenPays is how many times wider than the hidden states the logits must be before those are kept instead: making
// logits of them again costs a matrix product at each step.
const hiddenPays = 4

// WriteOutputs runs the teacher over batches that together hold every picture once, in order, and keeps its outputs in
// a file: those of a half-precision teacher as they are, others as float16 (in which the logits' differences matter less
// than the teacher's own errors).
func WriteOutputs(path string, teacher model.Network, batches func(yield func(*model.Batch) error) error) error {
	var raw []byte
	offsets := []int64{0}
	width, kind, dtype := 0, "", torch.Float16
	err := batches(func(b *model.Batch) error {
		return torch.Run(func(*torch.Scope) error {
			torch.NoGrad(func() {
				out := teacher.Hidden(b)
				kind = "hidden"
				logits := teacher.Head(out.Slice(0, 0, 1)).Size(-1)
				if logits < hiddenPays*out.Size(-1) {
					out, kind = teacher.Head(out), "logits"
				}
				width = out.Size(-1)
				if out.DType() == torch.BFloat16 { // reaches further than float16
					dtype = torch.BFloat16
				}
				raw = append(raw, out.To(dtype).Raw()...)
			})
			for _, n := range b.Scored {
				offsets = append(offsets, offsets[len(offsets)-1]+int64(n))
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("distillation: teacher outputs: %w", err)
	}
	return torch.Run(func(*torch.Scope) error {
		tensors := map[string]*torch.Tensor{
			"offsets": torch.From(offsets, torch.CPU),
			"rows":    torch.FromBytes(raw, dtype, torch.CPU, int(offsets[len(offsets)-1]), width),
		}
		return checkpoint.WriteSafeTensors(path, tensors, map[string]string{"kind": kind})
	})
}

// OpenOutputs maps a file of [WriteOutputs]. Where it holds hidden states, head gives the teacher's output head.
func OpenOutputs(path string, head func() (func(*torch.Tensor) *torch.Tensor, error)) (*Outputs, error) {
	file, err := checkpoint.OpenSafeTensors(path)
	if err != nil {
		return nil, err
	}
	o := &Outputs{file: file}
	rows, ok := file.Info("rows")
	if _, has := file.Info("offsets"); !ok || !has || len(rows.Shape) != 2 || !rows.DType.IsHalf() {
		return nil, errors.Join(fmt.Errorf("%s holds no teacher outputs; remove it, the run makes it again", path), file.Close())
	}
	o.rows, o.dtype, o.width = file.Bytes("rows"), rows.DType, rows.Shape[1]
	if file.Metadata["kind"] == "hidden" {
		if o.head, err = head(); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	err = torch.Run(func(*torch.Scope) error {
		t, err := file.Load("offsets", torch.CPU)
		if err == nil {
			o.offsets = torch.Values[int64](t)
		}
		return err
	})
	return o, err
}

// Pictures is how many pictures the file covers.
func (o *Outputs) Pictures() int { return len(o.offsets) - 1 }

// Logits are the teacher's [n, vocabulary] at the scored positions of a batch of these pictures, in the batch's order, in
// float32 or wider.
func (o *Outputs) Logits(pictures []int, on torch.Device) *torch.Tensor {
	var raw []byte
	size := 2 * o.width
	for _, p := range pictures {
		raw = append(raw, o.rows[int(o.offsets[p])*size:int(o.offsets[p+1])*size]...)
	}
	t := torch.FromBytes(raw, o.dtype, on, len(raw)/size, o.width).To(torch.Float32)
	if o.head == nil {
		return t
	}
	torch.NoGrad(func() { t = o.head(t) })
	return t
}

// Close unmaps the file.
func (o *Outputs) Close() error { return o.file.Close() }
