package torch_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// oneWord is a program of one question: of the ids' rows in a table, the last one's products with a weight are the logits.
func oneWord(t *testing.T, parameters ...*torch.Tensor) *torch.Program {
	t.Helper()
	p, err := torch.NewProgram(parameters)
	require.NoError(t, err)
	require.NoError(t, p.Record(torch.Recording{
		Part: torch.Part{Kind: torch.PartQuestion, Tokens: 2}, Parameters: parameters, Inputs: []*torch.Tensor{torch.FromInts([]int{0, 0}, torch.CPU, 1, 2)},
		Forward: func(in, _ []*torch.Tensor) (*torch.Tensor, []*torch.Tensor) {
			return torch.Embedding(parameters[0], in[0]).Select(1, -1).Linear(parameters[1], nil), nil
		},
	}))
	return p
}

func TestProgramAnswers(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		table := torch.From([]float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, torch.CPU, 3, 3)
		next := torch.From([]float32{0, 0, 9, 9, 0, 0, 0, 9, 0}, torch.CPU, 3, 3) // 0 → 1 → 2 → 0
		p := oneWord(t, table, next)
		defer p.Close()
		asked := torch.Asked{Counts: []int{1, 0, 1}, Lengths: []int{2, 2}, IDs: []int{2, 0, 0, 1}, Ends: []int{2}, MaxTokens: 1,
			Answers: make([]int, 2), Tokens: []int{-1, -1}, LogProbs: make([]float64, 2)}
		_, done := p.Answer(nil, &asked)
		require.True(t, done)
		assert.Equal(t, []int{1, 2}, asked.Answers)
		assert.Equal(t, []int{1, 0}, asked.Tokens, "an end is not counted")
		assert.InDelta(t, -2*1.2338e-4, asked.LogProbs[0], 1e-7) // of e⁹ against two of e⁰

		asked.Tokens, asked.MaxTokens, asked.Answers, asked.LogProbs = []int{-1, -1}, 2, make([]int, 4), nil
		missing, done := p.Answer(nil, &asked)
		assert.False(t, done)
		assert.Equal(t, torch.Part{Kind: torch.PartStep, Tokens: 2}, missing)
		assert.Equal(t, []int{-1, 0}, asked.Tokens, "the second answer ends before")

		asked.Tokens, asked.IDs = []int{-1, -1}, []int{0, 7, 0, 1}
		err := torch.Run(func(*torch.Scope) error {
			p.Answer(nil, &asked)
			return nil
		})
		assert.ErrorContains(t, err, "token 7 is not among the 3 of the vocabulary")
	})
}

// Whatever writes to a parameter makes a program stale.
func TestProgramIsStaleAfterEachWrite(t *testing.T) {
	writes := map[string]func(x *torch.Tensor){
		"copy": func(x *torch.Tensor) { x.CopyFrom(x.MulScalar(2)) },
		"fill": func(x *torch.Tensor) { x.Fill(1) },
		"view": func(x *torch.Tensor) { x.Narrow(0, 0, 1).Fill(1) },
		"step of AdamW": func(x *torch.Tensor) {
			l := func(t *torch.Tensor) []*torch.Tensor { return []*torch.Tensor{t} }
			zeros := func() *torch.Tensor { return torch.Zeros(x.Shape(), torch.Float32, torch.CPU) }
			torch.AdamWStep(l(x), l(zeros().AddScalar(1)), l(zeros()), l(zeros()), l(torch.Zeros(nil, torch.Float32, torch.CPU)), 1, 1, .9, .99, 1e-8, 0)
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				x := torch.Ones([]int{2, 3}, torch.Float32, torch.CPU)
				p, err := torch.NewProgram([]*torch.Tensor{x})
				require.NoError(t, err)
				defer p.Close()
				require.True(t, p.Fresh([]*torch.Tensor{x}))
				torch.NoGrad(func() { write(x) })
				assert.False(t, p.Fresh([]*torch.Tensor{x}))
				assert.False(t, p.Fresh(nil))
			})
		})
	}
}

// The columns of a large product are shared among threads, and are the same with any number of them.
func TestProgramSharesAProduct(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		const words, size = 64, 530 // no multiple of a panel's width
		g := torch.NewGenerator(5)
		parameters := []*torch.Tensor{g.Randn(3, size), g.Randn(size, size), g.Randn(size), g.Randn(4, size)}
		p, err := torch.NewProgram(parameters)
		require.NoError(t, err)
		defer p.Close()
		forward := func(in, _ []*torch.Tensor) (*torch.Tensor, []*torch.Tensor) {
			hidden := torch.Embedding(parameters[0], in[0]).Linear(parameters[1], parameters[2])
			return hidden.Select(1, -1).Linear(parameters[3], nil), nil
		}
		ids := torch.Zeros([]int{1, words}, torch.Int64, torch.CPU)
		require.NoError(t, p.Record(torch.Recording{Part: torch.Part{Kind: torch.PartQuestion, Tokens: words}, Parameters: parameters, Inputs: []*torch.Tensor{ids}, Forward: forward}))
		asked := func() torch.Asked {
			a := torch.Asked{Counts: []int{1}, Lengths: []int{words}, IDs: make([]int, words), Ends: []int{9}, MaxTokens: 1, Answers: make([]int, 1), Tokens: []int{-1}, LogProbs: make([]float64, 1)}
			_, done := p.Answer(nil, &a)
			require.True(t, done)
			return a
		}
		one := asked()
		logits, _ := forward([]*torch.Tensor{ids}, nil)
		assert.Equal(t, int(logits.ArgMax(-1).To(torch.Float64).Reshape().Item()), one.Answers[0])
		torch.WithThreads(3, func() { assert.Equal(t, one, asked()) })
	})
}
