package teacher

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/datatest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// In pre-training a question without a task has a slot of its own, not the first task's; and none where all have a task.
func TestPretrainingOfQuestionsWithoutATask(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		for tasks, want := range map[[3]string][]int{
			{"", "t", "u"}:  {6, 0, 3}, // the slots of t, u and none, three words each
			{"s", "t", "u"}: {0, 3, 6},
			{"", "", ""}:    {0}, // one slot, and of two questions of one task the first counts
		} {
			var rows []datatest.Row
			for i, task := range tasks {
				rows = append(rows, datatest.Row{Picture: "1.png", Question: fmt.Sprint("q", i), Answer: "a", Task: task})
			}
			set := datatest.Black(t, rows...)
			train, err := corpus.New(set.Train, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, On: torch.CPU})
			require.NoError(t, err)
			c, err := config.DefaultTrain().ModelConfig(8, set.Tokenizer)
			require.NoError(t, err)
			m, err := model.New(c)
			require.NoError(t, err)
			p, err := newPretraining(m, train, set.Tasks)
			require.NoError(t, err)
			at, _, _ := p.slots([]int{0})
			var first []int // of the two tokens of each answer
			for i, row := range at {
				if i%2 == 0 {
					first = append(first, row)
				}
			}
			assert.Equal(t, want, first, "%q", tasks)
			p.store.Free()
		}
	})
}

// The pieces of a batch have the loss and the gradients of the whole in every phase of pre-training, also where a picture has
// fewer answers than others.
func TestPiecesOfPretraining(t *testing.T) {
	torchtest.Setup(t)
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 3, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	train, err := corpus.New(set.Train, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, Pre: model.AdsPreprocessor(48), On: torch.CPU})
	require.NoError(t, err)
	train.Asked.Questions[1][0].Answer = nil
	train.Asked.Questions[2][3].Answer = nil
	sizes := config.DefaultTrain()
	sizes.Vision.Layers, sizes.QFormer.Layers, sizes.Language.Layers = 1, 1, 1
	c, err := sizes.ModelConfig(48, set.Tokenizer)
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	require.NoError(t, m.Store().Init(1, torch.CPU))
	n, err := model.Convert(m, torch.Float64, torch.CPU)
	require.NoError(t, err)
	m.Store().Free()
	m = n.(*model.Blip2)
	defer m.Store().Free()
	p, err := newPretraining(m, train, set.Tasks)
	require.NoError(t, err)
	defer p.store.Free()
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		g := torch.NewGenerator(3) // heads of zeros would have no gradient for the network
		for _, param := range p.store.Params() {
			param.Set(g.Randn(param.Shape()...).To(torch.Float64).MulScalar(.01).SetRequiresGrad(true))
		}
		return nil
	}))
	m.Store().SetRequiresGrad(true)
	params := append(m.Store().Params(), p.store.Params()...)
	feed := train.Feed(context.Background(), 3, 1, true)
	defer feed.Close()
	of := func(step, pieces int) (sum float64, grads [][]float64) {
		for piece := range pieces {
			require.NoError(t, torch.Run(func(*torch.Scope) error {
				b, whole, err := feed.Piece(0, piece, pieces)
				if err != nil {
					return err
				}
				loss, err := p.loss(step, 10, 100, b, whole, func(f func()) { f() })
				if err != nil {
					return err
				}
				loss.Backward()
				sum += loss.Item()
				return nil
			}))
		}
		for _, param := range params {
			var g []float64
			if param.T().Grad() != nil {
				g = torch.Values[float64](param.T().Grad())
			}
			grads = append(grads, g)
			param.T().SetGrad(nil)
		}
		return sum, grads
	}
	for _, step := range []int{0, 30, 90} { // the language model rests; all learn; the heads are gone
		want, grads := of(step, 1)
		got, ofPieces := of(step, 3)
		assert.InDelta(t, want, got, 1e-9*want, "step %d", step)
		for i, param := range params {
			require.Len(t, ofPieces[i], len(grads[i]), param.Name)
			require.InDeltaSlice(t, grads[i], ofPieces[i], 1e-9, "step %d: %s", step, param.Name)
		}
	}
}
