package model

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// Tokens counts what a batch of one picture holds when nothing is filled up.
func TestTokensAreThoseOfABatch(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		const queries = 7
		q := Question{Prompt: []int{3, 4, 5}, Answer: []int{6, 1}, Instruction: []int{2}}
		questions := []Question{q, q, q, q}
		for _, f := range []Form{{}, {Instruct: true}, {EncoderDecoder: true}, {Instruct: true, EncoderDecoder: true}} {
			b, err := f.Pack(torch.Zeros([]int{1, 3, 2, 2}, torch.Float32, torch.CPU), [][]Question{questions}, torch.CPU)
			require.NoError(t, err)
			n := b.IDs.Size(0)*queries + b.IDs.Count()
			if b.DecoderIDs != nil {
				n += b.DecoderIDs.Count()
			}
			assert.Equal(t, n, f.Tokens(queries, questions), "%+v", f)
		}
	})
}
