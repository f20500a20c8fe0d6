package pruning_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// short is a network in too little memory for more than so many pictures at once; it notices the most that it was given.
type short struct {
	model.Network
	fits, most, refused int
}

func (s *short) room(b *model.Batch) {
	if n := b.Pictures.Size(0); n > s.fits {
		s.refused++
		panic(&torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: "no room for 64 bytes"})
	} else {
		s.most = max(s.most, n)
	}
}

func (s *short) Logits(b *model.Batch) *torch.Tensor { s.room(b); return s.Network.Logits(b) }
func (s *short) Hidden(b *model.Batch) *torch.Tensor { s.room(b); return s.Network.Hidden(b) }

// Where a batch does not fit into memory its pieces give the same scores, by every criterion, in every form of batch.
func TestScoresInPieces(t *testing.T) {
	for _, family := range []string{"blip2_opt", "instructblip_t5"} {
		t.Run(family, func(t *testing.T) {
			torchtest.Setup(t)
			n := modeltest.Double(t, modeltest.Family(t, family))
			s := pruning.Sample{Batches: 2,
				Batch: func(int) (*model.Batch, error) {
					b, err := modeltest.Ask(n)()
					if err != nil {
						return nil, err
					}
					return b.PicturesTo(torch.Float64), nil
				},
				Loss: func(i int, b *model.Batch, logits *torch.Tensor) *torch.Tensor { // a loss that is no sum over rows
					l := logits.CrossEntropy(b.Targets)
					return l.Mul(l).MulScalar(float64(1 + i))
				}}
			kinds := []nn.Kind{nn.Blocks, nn.Heads, nn.FFN, nn.Hidden}
			for _, criterion := range []string{"gradient", "taylor", "taylor-vector", "taylor-sample", "cosine"} {
				if criterion == "cosine" {
					kinds = kinds[:1]
				}
				want, err := pruning.Importance(n, criterion, axesOf(n, kinds...), s)
				require.NoError(t, err)
				var notes []string
				cut := s
				cut.Pieces = &torch.Pieces{Most: 8, What: "scores", Note: func(text string) { notes = append(notes, text) }}
				little := &short{Network: n, fits: 1}
				got, err := pruning.Importance(little, criterion, axesOf(n, kinds...), cut)
				require.NoError(t, err, criterion)
				require.Positive(t, little.refused, "%s: the batch fits", criterion)
				require.Equal(t, 1, little.most)
				assert.NotEmpty(t, notes)
				for _, a := range axesOf(n, kinds...) {
					torchtest.Within(t, torch.From(want[a.Name], torch.CPU), torch.From(got[a.Name], torch.CPU), 1e-9, 1e-9)
				}
				require.Equal(t, cut.Pieces.Grown[len(cut.Pieces.Grown)-1].Pieces, cut.Pieces.At(1))

				none := &short{Network: n}
				cut.Pieces = &torch.Pieces{Most: 2, What: "scores"}
				_, err = pruning.Importance(none, criterion, axesOf(n, kinds...), cut)
				var out *torch.OutOfMemory
				require.ErrorAs(t, err, &out, criterion)
			}
		})
	}
}
