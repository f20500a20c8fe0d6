package nn

import "espalier/torch"

// Embedding is a table with a row for each id.
type Embedding struct{ W *Param }

// Embedding declares name.weight [rows, width].
func (b *Builder) Embedding(name string, rows, width Dim, weight Init) *Embedding {
	return &Embedding{W: b.Sub(name).Param("weight", weight, rows, width)}
}

// Forward maps int64 ids [...] to rows [..., width].
func (e *Embedding) Forward(ids *torch.Tensor) *torch.Tensor { return torch.Embedding(e.W.T(), ids) }
