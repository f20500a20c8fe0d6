package distillation

import (
	"fmt"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
)

// Hidden is a loss between what the parts of two networks hand on: the vision tower's output, the Q-Former's as the language
// model reads it, and the last hidden states; of a decoder alone, these. For each token it is ‖s − t‖² / ‖t‖², where s is the
// student's state and t the teacher's; for each part the mean over tokens; and of the parts the mean.
//
// A student that was cut has fewer dimensions. In the form "projection" (also "") s is mapped to the teacher's dimensions by a
// matrix that is trained with the student and dropped at the end; it begins with each dimension in its old place. In the form
// "kept" t is the teacher's state at the dimensions that the student still has.
type Hidden struct {
	kept    map[string][]int // by tower, the teacher's dimensions that the student has, where some are gone
	queries []int            // likewise the query tokens
	maps    []*torch.Tensor  // [teacher's, student's] dimensions for each part; nil in the form "kept"
}

// HiddenRows counts what the three parts of a batch have, of which a loss may see a piece.
type HiddenRows struct{ Pictures, Prefixes, Scored int }

// NewHidden prepares the loss of a student that was cut from a teacher. kept has the teacher's units that the student still has,
// by the names of the student's axes, where some are gone.
func NewHidden(form string, student, teacher model.Network, kept map[string][]int, on torch.Device) (*Hidden, error) {
	h := &Hidden{kept: map[string][]int{}}
	was, is := map[string]int{}, map[string]int{} // widths of the states
	for _, a := range student.Store().Axes() {
		if a.Kind != nn.Hidden && a.Kind != nn.Embeddings && a.Kind != nn.Queries {
			continue
		}
		first, units := teacher.Store().Axis(a.Name).Units(), kept[a.Name]
		if units == nil && a.Units() != first || units != nil && len(units) != a.Units() {
			return nil, fmt.Errorf("distillation: hidden states: it is not known which of the teacher's %d units of %s the student's %d are", first, a.Name, a.Units())
		}
		if a.Kind == nn.Queries {
			h.queries = units
		} else { // OPT's embeddings of another width are declared behind its hidden width: the states have theirs
			h.kept[a.Tower], was[a.Tower], is[a.Tower] = units, first, a.Units()
		}
	}
	switch form {
	case "kept":
		return h, nil
	case "", "projection":
	default:
		return nil, fmt.Errorf("distillation: hidden states: unknown form %q; there are projection, kept", form)
	}
	err := torch.Run(func(*torch.Scope) error {
		towers := []string{"vision", "language", "language"}
		if was["vision"] == 0 { // a decoder alone
			towers = towers[2:]
		}
		for _, tower := range towers {
			h.maps = append(h.maps, inPlace(h.kept[tower], was[tower], is[tower], on).Release())
		}
		return nil
	})
	if err != nil {
		h.Free()
		return nil, fmt.Errorf("distillation: hidden states: %w", err)
	}
	return h, nil
}

// inPlace is a matrix [all, own] that puts each of the own dimensions to its place among all.
func inPlace(kept []int, all, own int, on torch.Device) *torch.Tensor {
	values := make([]float32, all*own)
	for i := range own {
		at := i
		if kept != nil {
			at = kept[i]
		}
		values[at*own+i] = 1
	}
	return torch.From(values, on, all, own)
}

// Share is a loss over the same matrices, whose gradients are its own: a worker's.
func (h *Hidden) Share() *Hidden {
	share := &Hidden{kept: h.kept, queries: h.queries}
	for _, m := range h.maps {
		share.maps = append(share.maps, m.Detach().Release())
	}
	return share
}

// Params are what is trained with the student.
func (h *Hidden) Params() []*torch.Tensor { return h.maps }

// Free drops the matrices.
func (h *Hidden) Free() {
	for _, m := range h.maps {
		m.Free()
	}
	h.maps = nil
}

// OfPiece is what a piece of a batch adds to the loss of the whole, which has so much.
func (h *Hidden) OfPiece(student, teacher model.States, whole HiddenRows) *torch.Tensor {
	prefix := teacher.Prefix
	if h.queries != nil {
		prefix = prefix.IndexSelect(1, torch.FromInts(h.queries, prefix.Device()))
	}
	type part struct {
		tower string
		s, t  *torch.Tensor
		of    int
	}
	parts := []part{{"vision", student.Vision, teacher.Vision, whole.Pictures}, {"language", student.Prefix, prefix, whole.Prefixes}, {"language", student.Hidden, teacher.Hidden, whole.Scored}}
	if student.Vision == nil { // a decoder alone
		parts = parts[2:]
	}
	sum := torch.Zeros(nil, torch.Float32, student.Hidden.Device())
	for i, part := range parts {
		n := part.s.Size(0)
		if n == 0 {
			continue
		}
		s := float(part.s)
		t := part.t.To(s.DType())
		switch kept := h.kept[part.tower]; {
		case h.maps != nil:
			s = s.Linear(h.maps[i].To(s.DType()), nil)
		case kept != nil:
			t = t.IndexSelect(-1, torch.FromInts(kept, t.Device()))
		}
		sum = sum.Add(relative(s, t).MulScalar(share(n, part.of) / float64(len(parts))))
	}
	return sum
}

// relative is the mean over tokens of ‖s − t‖² / ‖t‖².
func relative(s, t *torch.Tensor) *torch.Tensor {
	d := s.Sub(t)
	return d.Mul(d).Sum(-1).Div(t.Mul(t).Sum(-1).ClampMin(least)).Mean()
}
