package model

import "espalier/torch"

// States are what the parts of a network hand on for a batch.
type States struct {
	Vision *torch.Tensor // the vision tower's output, [pictures, 1 + patches, vision hidden]; nil of a decoder alone, as is Prefix
	Prefix *torch.Tensor // the Q-Former's as the language model reads it, [rows, queries, width of the token embeddings]
	Hidden *torch.Tensor // the normed states behind the logits, [n, width of the token embeddings], which Head maps to the logits
}

// States computes all of them in one forward.
func (m *Blip2) States(b *Batch) States {
	if m.vision == nil {
		return States{Hidden: m.Hidden(b)}
	}
	tokens := m.Vision(b.Pictures)
	prefix := m.prefix(tokens, b)
	return States{Vision: tokens, Prefix: prefix, Hidden: m.HiddenAfter(prefix, b)}
}
