package names

import "slices"

// Guess is the built-in map that suits the tensors of a file, or "" where none does. A file is known by its projection, and by
// whether its Q-Former reads the question.
func Guess(tensors []string) string {
	has := func(name string) bool { return slices.Contains(tensors, name) }
	reads := has("Qformer.bert.embeddings.word_embeddings.weight")
	for _, name := range Known() {
		v := variants[name]
		if has(v.proj+".weight") && (v.norm == readingNorm) == reads {
			return name
		}
	}
	return ""
}

// readingNorm is where the first norm stands in a Q-Former that reads the question.
const readingNorm = "qformer.embeddings.layernorm"
