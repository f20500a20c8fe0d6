package corpus

import (
	"context"

	"espalier/pipeline/data"
	"espalier/torch"
)

// Shuffled is an endless stream of batches in a new seeded order each epoch.
func (c *Corpus) Shuffled(ctx context.Context, batch int, seed uint64) *data.Loader {
	return data.NewLoader(ctx, c.Split, data.Endless(c.Split.Len(), seed, 0), batch)
}

// Next is the loader's next batch. Where only answers of the data's teach, it passes over batches that have none: their loss
// would have no gradient. The loader must not end, and a picture must have an answer.
func (c *Corpus) Next(l *data.Loader, answered bool) (*data.Batch, error) {
	for {
		b, err := l.Next()
		if err != nil || !answered || c.Answered(b.Index...) {
			return b, err
		}
	}
}

// Precision is the dtype of a forward, by its name in the configuration.
func Precision(name string) torch.DType {
	if name == "bf16" {
		return torch.BFloat16
	}
	return torch.Float32
}
