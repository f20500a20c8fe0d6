package names

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Each built-in map is found by the tensors that only its files have.
func TestGuess(t *testing.T) {
	const reads = "Qformer.bert.embeddings.word_embeddings.weight"
	for want, tensors := range map[string][]string{
		"lavis-opt":             {"query_tokens", "opt_proj.weight"},
		"lavis-t5":              {"t5_proj.weight", "query_tokens"},
		"lavis-instruct-t5":     {"t5_proj.weight", reads},
		"lavis-instruct-vicuna": {"llm_proj.weight", reads},
		"minigpt4":              {"llama_proj.weight", "llama_proj.bias"},
		"":                      {"language_projection.weight", "query_tokens"},
	} {
		assert.Equal(t, want, Guess(tensors))
	}
	assert.Len(t, Known(), 5, "a new map needs a case here")
}
