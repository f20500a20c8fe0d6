package stage

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/teacher"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A distillation that diverges starts again from the cut network, once, with half the rate; when that ends well, it is the
// training at half the rate. The network of the first start holds a value that is no number, that of the second does not.
func TestDistillationStartsAgainWithHalfTheRate(t *testing.T) {
	torchtest.Setup(t)
	train := threeAds(t)
	folder := t.TempDir()
	writeOutputs(t, folder, smallNetwork(t), train)
	in := distilInput{Outputs: &teacher.Outputs{Result: chain.Result{Folder: folder}}, Train: train, Distil: config.DefaultStage().Distil, What: "stage blocks"}
	in.Distil.Steps, in.Distil.Batch, in.Distil.KL, in.Distil.LR = 100, 1, 1, 1e-3

	// run distils networks of which the first so many are lost. It gives the student's values, and how many networks it took.
	run := func(in distilInput, lost int) (values []float64, told Recovered, taken int, notes string, err error) {
		in.Network = network.New("cut", smallNetwork(t), nil, func() (model.Network, error) {
			n, err := model.Convert(smallNetwork(t), torch.Float32, torch.CPU)
			if err != nil {
				return nil, err
			}
			if taken++; taken <= lost {
				n.Store().Params()[0].T().Fill(math.NaN())
			}
			return n, nil
		})
		c, err := chain.Open(chain.Environment{}, chain.Options{Folder: filepath.Join(t.TempDir(), "run"), Events: func(e event.Event) {
			if n, ok := e.(event.Note); ok {
				notes += n.Text + "\n"
			}
		}})
		require.NoError(t, err)
		defer c.Close()
		kept, err := chain.Do(context.Background(), c, chain.Place{At: "blocks/distil 1"}, distilStep, in)
		if err != nil {
			return nil, told, taken, notes, err
		}
		n := kept.Live.(model.Network)
		defer n.Store().Free()
		for _, p := range n.Store().Params() {
			values = append(values, p.T().Floats()...)
		}
		return values, kept.Value, taken, notes, nil
	}
	got, told, taken, notes, err := run(in, 1)
	require.NoError(t, err)
	assert.Equal(t, .5, told.Rate)
	assert.Zero(t, told.Skipped)
	assert.Len(t, told.Course.Points, 100, "of the start that went well alone")
	assert.Equal(t, 2, taken)
	assert.Equal(t, 1, strings.Count(notes, "the distillation starts again with half the rate"))

	half := in
	half.Distil.LR /= 2
	want, told, _, _, err := run(half, 0)
	require.NoError(t, err)
	assert.Equal(t, 1., told.Rate)
	assert.True(t, assert.ObjectsAreEqual(want, got), "it is the training at half the rate")
	whole, _, _, _, err := run(in, 0)
	require.NoError(t, err)
	assert.False(t, assert.ObjectsAreEqual(whole, got), "the rate moves the student")

	_, _, taken, _, err = run(in, 2)
	var diverged *distillation.Diverged
	require.ErrorAs(t, err, &diverged)
	assert.Equal(t, 2, taken, "it starts again once")
}
