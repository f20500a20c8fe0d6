package teacher

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// Where the Q-Former reads the question, its rows are the questions that have answers; the vision tower's stay the pictures.
func TestSlotsOfAQFormerThatReadsTheQuestion(t *testing.T) {
	torchtest.Setup(t)
	ask := func(picture, task, answer string) datatest.Row {
		return datatest.Row{Picture: picture, Question: "q " + task, Answer: answer, Task: task}
	}
	set := datatest.Black(t, ask("1.png", "t", "a"), ask("1.png", "u", "b"), ask("2.png", "t", "b"), ask("2.png", "t", "a"), ask("2.png", "u", "a"))
	p := &pretraining{tasks: map[string]int{"t": 0, "u": 1}}
	var err error
	p.train, err = corpus.New(set.Train, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, On: torch.CPU})
	require.NoError(t, err)
	p.train.Asked.Questions[0][0].Answer = nil
	p.words = headWordsOf(p.train, p.tasks)
	assert.Equal(t, 2, p.words.count, "of each task's first word; all seconds are the end")
	want := []int{0, 0, 0, 0, 1, 0} // b and the end, b and the end, a and the end
	at, asked, words := p.slots([]int{0, 1})
	assert.Equal(t, []int{3, 4, 6, 7, 9, 10}, at, "two tasks of three words")
	assert.Equal(t, at, asked)
	assert.Equal(t, want, words)
	p.instruct = true
	again, asked, words := p.slots([]int{0, 1})
	assert.Equal(t, at, again)
	assert.Equal(t, []int{3, 4, 6, 7, 21, 22}, asked, "rows 0, 1 and 3: the second question of a task has a row of its own")
	assert.Equal(t, want, words)
}

// The pieces of a batch have the loss and the gradients of the whole in every phase of pre-training, also where a picture has
// fewer answers than others, and a row for each question.
func TestPiecesOfPretraining(t *testing.T) {
	for name, language := range map[string]string{
		"blip-2 opt":         `{"model_type": "opt", "hidden_size": 24, "ffn_dim": 40, "num_hidden_layers": 1, "num_attention_heads": 3, "max_position_embeddings": 60}`,
		"blip-2 t5":          `{"model_type": "t5", "d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 1, "num_heads": 3}`,
		"instructblip llama": `{"model_type": "llama", "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 3, "vocab_size": 1200}`,
	} {
		t.Run(name, func(t *testing.T) { piecesOfPretraining(t, strings.Fields(name)[0], language) })
	}
}

func piecesOfPretraining(t *testing.T, kind, language string) {
	torchtest.Setup(t)
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 3, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"model_type": %q, "num_query_tokens": 4,
		"vision_config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "image_size": 48, "patch_size": 12},
		"qformer_config": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4, "encoder_hidden_size": 32},
		"text_config": %s}`, kind, language), 0o644))
	c, err := (&config.TrainConfig{Config: path}).ModelConfig(48, set.Tokenizer)
	require.NoError(t, err)
	train, err := corpus.New(set.Train, corpus.Reading{Words: prompt.New(set.Tokenizer, c), Pre: model.AdsPreprocessor(48), Form: c.Form(), On: torch.CPU})
	require.NoError(t, err)
	train.Asked.Questions[1][0].Answer = nil
	train.Asked.Questions[2][3].Answer = nil
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
	require.NoError(t, torch.Run(func(*torch.Scope) error { // the heads do not fade before the language model stops resting
		b, whole, err := feed.Piece(0, 0, 1)
		require.NoError(t, err)
		of := func(step int) *torch.Tensor {
			loss, err := p.loss(step, 90, 100, b, whole, func(f func()) { f() })
			require.NoError(t, err)
			require.NotNil(t, loss, "step %d", step)
			return loss
		}
		for _, step := range []int{70, 89} {
			assert.Equal(t, of(0).Item(), of(step).Item(), "step %d", step)
		}
		return nil
	}))
}
