package distillation

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/disk"
)

// outputsDTypes are those that outputs are kept in.
var outputsDTypes = []torch.DType{torch.Float16, torch.BFloat16, torch.Float32}

func (i *outputsIndex) rowBytes() int64 {
	size := 2
	if i.DType == torch.Float32.String() {
		size = 4
	}
	if i.Kind == kindTopK {
		return topKBytes(size, i.Width, len(i.Temperatures))
	}
	return int64(size * i.Width)
}

// errRange says that an output is a finite number, but not in the dtype that it is to be kept in.
var errRange = errors.New("an output lies beyond the range of the dtype that it is to be kept in")

// inRange is the output of so many pictures in the dtype that it is kept in.
func (w *outputsWriter) inRange(out *torch.Tensor, pictures int) (*torch.Tensor, error) {
	dtype := keptDType(out)
	if w.index.DType == torch.Float32.String() {
		dtype = torch.Float32
	}
	kept := out.To(dtype)
	switch {
	case kept.AllFinite():
		return kept, nil
	case out.AllFinite():
		return nil, errRange
	}
	from := w.pictures()
	err := fmt.Errorf("the teacher's %s for pictures %d to %d (counted from 0) hold NaN or infinite values", w.index.Kind, from, from+pictures-1)
	if out.DType() == torch.Float16 {
		err = fmt.Errorf("%w: float16 ends at 65,504; convert the checkpoint to bfloat16 or float32 (bin/model convert -dtype)", err)
	}
	return nil, err
}

// widen begins once more, in float32.
func (w *outputsWriter) widen(folder string) error {
	w.keeper.Note("an output lies beyond 65,504, where float16 ends: all are computed from the beginning, and kept in float32")
	w.index, w.sum = outputsIndex{DType: torch.Float32.String(), Offsets: []int{0}}, sha256.New()
	if w.keeper.Folder != "" { // it tells of the rows that go now
		if err := disk.RemoveAll(w.keeper.Folder); err != nil {
			return err
		}
	}
	rows, err := disk.Append(filepath.Join(folder, rowsName), 0)
	if err != nil {
		return err
	}
	err = w.rows.Close()
	w.rows = rows
	return err
}

// shortest is what is kept of hidden states: they themselves, or the logits that the teacher's head makes of them.
func shortest(teacher model.Network, hidden *torch.Tensor) (out *torch.Tensor, kind string) {
	if logits := teacher.Head(hidden.Slice(0, 0, 1)).Size(-1); logits < hiddenPays*hidden.Size(-1) {
		return teacher.Head(hidden), "logits"
	}
	return hidden, "hidden"
}

// Heard is a teacher on a batch that nothing is kept of, as its kept outputs would give it: rounded in the same way.
func Heard(teacher model.Network, b *model.Batch) *Teacher {
	t := &Teacher{}
	torch.NoGrad(func() {
		out, kind := shortest(teacher, teacher.Hidden(b))
		if kind == "hidden" {
			t.head = teacher.Head
		}
		t.rows = out
		if half := out.To(keptDType(out)); half.AllFinite() {
			t.rows = half
		}
	})
	return t
}

// keptDType is what logits or hidden states are kept in, while they are in range.
func keptDType(t *torch.Tensor) torch.DType {
	if t.DType() == torch.BFloat16 { // reaches further than float16
		return torch.BFloat16
	}
	return torch.Float16
}
