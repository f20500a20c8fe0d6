package model

import (
	"fmt"

	"espalier/torch/nn"
)

// mostKept is the most tokens of one prompt's answers, over all beams, whose keys and values are kept.
const mostKept = 1 << 16

// check refuses options that ask for more than there can be.
func (o GenerateOptions) check(m *Blip2) error {
	if o.MaxTokens < 1 {
		return fmt.Errorf("model: generate: at least one token must be allowed")
	}
	if o.LogProbs != nil && o.Beams > 1 {
		return fmt.Errorf("model: generate: log-probabilities are those of greedy answers; ask for one beam")
	}
	for _, a := range m.store.Axes() {
		if a.Kind == nn.Vocabulary && o.Beams > a.Units() {
			return fmt.Errorf("model: generate: %d beams are more than the %d tokens that an answer can begin with; give at most %[2]d", o.Beams, a.Units())
		}
	}
	if beams := max(1, o.Beams); o.MaxTokens > mostKept/beams {
		return fmt.Errorf("model: generate: beams (%d) times tokens of an answer (%d) may be %d at most, since each beam keeps the keys and values "+
			"of its tokens in memory; ask for fewer of either", beams, o.MaxTokens, mostKept)
	}
	return nil
}

// Room is the number of tokens of a prompt and its answer that the language model has positions for; 0 is any.
func (m *Blip2) Room() int {
	if l, ok := m.language.(*OPT); ok {
		return l.rows - l.offset - m.queries()
	}
	return 0
}

// CheckQuestion refuses a question that is longer than the network has positions for.
func (m *Blip2) CheckQuestion(q Question) error {
	if room := m.Room(); room > 0 && len(q.Prompt) > room {
		return fmt.Errorf("the question has %d tokens, the language model has positions for %d; shorten it", len(q.Prompt), room)
	}
	if m.qformer == nil {
		return nil
	}
	if room := m.qformer.positions; room > 0 && len(q.Instruction) > room {
		return fmt.Errorf("the question has %d of the Q-Former's tokens, which has positions for %d; shorten it", len(q.Instruction), room)
	}
	return nil
}
