package stage

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/network"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// The pieces of a batch have its loss and gradients, whatever answers are the data's; a piece that nothing is learnt from is
// left out.
func TestPiecesOfABatchEqualIt(t *testing.T) {
	torchtest.Setup(t)
	train := threeAds(t)
	for p, own := range [][]bool{{true, false, true, false, false}, {true, true, true, true, true}, {false, false, false, true, false}} {
		require.Len(t, train.Asked.Own[p], len(own))
		copy(train.Asked.Own[p], own)
	}
	student, err := model.Convert(smallNetwork(t), torch.Float64, torch.CPU)
	require.NoError(t, err)
	defer student.Store().Free()
	student.Store().SetRequiresGrad(true)
	folder := t.TempDir()
	teacher := smallNetwork(t)
	require.NoError(t, teacher.Store().Init(2, torch.CPU))
	writeOutputs(t, folder, teacher, train)
	outputs, err := distillation.OpenOutputs(folder, func() (func(*torch.Tensor) *torch.Tensor, error) { return teacher.Head, nil })
	require.NoError(t, err)
	defer outputs.Close()

	kept := func(pictures []int, _ *model.Batch) *distillation.Teacher {
		return outputs.Teacher(pictures, torch.CPU)
	}
	wide, err := model.Convert(teacher, torch.Float64, torch.CPU) // else pieces would be rounded to other halves
	require.NoError(t, err)
	defer wide.Store().Free()
	anew, _, err := hear(distilInput{Heard: network.New("", wide, wide, nil)})
	require.NoError(t, err)
	alone := 0. // the pairwise loss
	for _, c := range []struct {
		config.DistilConfig
		heard
	}{{config.DistilConfig{KL: 1, Temperature: 2, Pair: .5, CE: .25}, kept}, {config.DistilConfig{Pair: 1, CE: .5}, kept}, {config.DistilConfig{KL: 1}, anew},
		{config.DistilConfig{Pair: 1}, kept}, {config.DistilConfig{Pair: 1, Hidden: 2}, kept}} {
		d := c.DistilConfig
		feed := train.Feed(context.Background(), 3, 1, d.KL == 0 && d.Hidden == 0)
		in := distilInput{Train: train, Distil: d}
		if d.Hidden > 0 {
			in.Teacher = network.New("", teacher, teacher, nil)
		}
		hidden, err := hiddenLoss(in, student)
		require.NoError(t, err)
		defer hidden.free()
		loss := lossAt(in, student, c.heard, hidden, feed)
		of := func(pieces int) (sum float64, grads [][]float64, computed int) {
			for piece := range pieces {
				require.NoError(t, torch.Run(func(*torch.Scope) error {
					l, err := loss(distillation.At{Piece: piece, Pieces: pieces}, func(f func()) { f() })
					if err != nil || l == nil {
						return err
					}
					l.Backward()
					sum += l.Item()
					computed++
					return nil
				}))
			}
			for _, p := range student.Store().Params() {
				var g []float64
				if p.T().Grad() != nil {
					g = torch.Values[float64](p.T().Grad())
				}
				grads = append(grads, g)
				p.T().SetGrad(nil)
			}
			return sum, grads, computed
		}
		want, grads, _ := of(1)
		if d.Hidden > 0 {
			assert.InDelta(t, alone+d.Hidden*hiddenOf(t, student, teacher, train), want, 1e-9)
		}
		alone = want
		for _, pieces := range []int{2, 3} {
			name := fmt.Sprintf("KL %g, hidden %g in %d pieces", d.KL, d.Hidden, pieces)
			got, ofPieces, computed := of(pieces)
			assert.InDelta(t, want, got, 1e-9*want, name)
			if d.CE > 0 && d.KL == 0 && pieces == 3 {
				assert.Equal(t, 2, computed, "the second picture has no answer of the data's")
			}
			for i, p := range student.Store().Params() {
				require.Len(t, ofPieces[i], len(grads[i]), p.Name)
				require.InDeltaSlice(t, grads[i], ofPieces[i], 1e-9, "%s: %s", name, p.Name)
			}
		}
		feed.Close()
	}
}

// hiddenOf is the loss of hidden states of all pictures, by its definition.
func hiddenOf(t *testing.T, student, teacher model.Network, train *corpus.Corpus) (loss float64) {
	t.Helper()
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		b, err := train.Read([]int{0, 1, 2})
		if err != nil {
			return err
		}
		torch.NoGrad(func() {
			own, want := student.States(b), teacher.States(b)
			for _, part := range [][2]*torch.Tensor{{own.Vision, want.Vision}, {own.Prefix, want.Prefix}, {own.Hidden, want.Hidden}} {
				wanted := part[1].To(torch.Float64)
				d := part[0].Sub(wanted)
				loss += d.Mul(d).Sum(-1).Div(wanted.Mul(wanted).Sum(-1)).Mean().Item() / 3
			}
		})
		return nil
	}))
	return loss
}
