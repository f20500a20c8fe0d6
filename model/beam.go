package model

import (
	"math"
	"sort"

	"espalier/torch"
)

// hypothesis is an answer under way: its tokens, the sum of their log-probabilities, and the keys of its own tokens.
type hypothesis struct {
	tokens []int
	score  float64
	keys   []int
}

// beamState is the search for one prompt.
type beamState struct {
	running  []hypothesis // at most beams, best first
	finished []hypothesis // at most beams, best first, scores divided by the length penalty
	closed   bool         // no running hypothesis can still win
}

// beamSearch follows the semantics of transformers' num_beams: at each step the 2·beams best continuations, or
// (1 + ends)·beams where there are several ends; those that end, among the best beams, become finished hypotheses; the best
// beams of the others run on. All beams of all prompts advance together: a beam's mask picks the keys of its own ancestors,
// so that no key is ever copied.
func (d *decoder) beamSearch(hidden *torch.Tensor, o GenerateOptions) [][]int {
	states := make([]beamState, len(d.owner))
	for i := range states {
		states[i].running = []hypothesis{{}}
	}
	rows := 1 // running hypotheses of each prompt in hidden
	for n := 0; n < o.MaxTokens; n++ {
		base := d.keys // of the keys that the next step adds
		candidates := d.expand(d.logits(hidden, n, o), states, rows, max(2, 1+len(o.Ends))*o.Beams)
		open := false
		for i := range states {
			states[i].advance(candidates[i], n+1, n+1 == o.MaxTokens, o)
			open = open || !states[i].closed
		}
		if !open || n+1 == o.MaxTokens {
			break
		}
		ids := make([]int, 0, len(states)*o.Beams)
		for i := range states {
			s := &states[i]
			for k := range o.Beams {
				if k >= len(s.running) { // an idle slot
					ids = append(ids, 0)
					continue
				}
				h := &s.running[k]
				ids = append(ids, h.tokens[len(h.tokens)-1])
				h.keys = append(append([]int{}, h.keys...), base+d.place[i]+k)
			}
		}
		keys := d.keys + d.slots // the mask covers the new keys as well
		mask := d.maskOf(keys, func(prompt, beam int) []bool {
			s := states[prompt]
			row := make([]bool, keys)
			copy(row, d.visible[prompt])
			if beam < len(s.running) {
				for _, k := range s.running[beam].keys {
					row[k] = true
				}
			}
			return row
		})
		hidden, rows = d.step(ids, n, mask), o.Beams
	}
	answers := make([][]int, len(states))
	for i, s := range states {
		answers[i] = s.finished[0].tokens
		if n := len(answers[i]); n > 0 && o.ends(answers[i][n-1]) {
			answers[i] = answers[i][:n-1]
		}
	}
	return answers
}

// expand gives so many best continuations of each prompt, best first.
func (d *decoder) expand(logits *torch.Tensor, states []beamState, rows, count int) [][]hypothesis {
	logp := logits.To(torch.Float64).LogSoftmax(-1)
	width := logp.Size(-1)
	scores := make([]float64, 0, len(states)*rows)
	for _, s := range states {
		for k := range rows {
			score := math.Inf(-1) // a slot without a hypothesis
			if k < len(s.running) {
				score = s.running[k].score
			}
			scores = append(scores, score)
		}
	}
	total := logp.Add(torch.From(scores, d.on, len(scores), 1)).Reshape(len(states), rows*width)
	count = min(count, rows*width)
	values, indices := total.TopK(count, 1)
	v, at := torch.Values[float64](values), torch.Values[int64](indices)
	out := make([][]hypothesis, len(states))
	for i, s := range states {
		for j := i * count; j < (i+1)*count; j++ {
			if math.IsInf(v[j], -1) {
				continue
			}
			from := s.running[int(at[j])/width]
			out[i] = append(out[i], hypothesis{
				tokens: append(append([]int{}, from.tokens...), int(at[j])%width), score: v[j], keys: from.keys})
		}
	}
	return out
}

// advance sorts the continuations, of the given length, into finished and running hypotheses.
func (s *beamState) advance(candidates []hypothesis, length int, last bool, o GenerateOptions) {
	if s.closed {
		return
	}
	penalty := math.Pow(float64(length), o.LengthPenalty)
	full := len(s.finished) == o.Beams && o.EarlyStopping
	var running []hypothesis
	for i, c := range candidates {
		ends := last || o.ends(c.tokens[len(c.tokens)-1])
		switch {
		case !ends:
			running = append(running, c)
		case i < o.Beams && !full:
			c.score /= penalty
			s.finished = append(s.finished, c)
		}
	}
	sort.SliceStable(s.finished, func(i, j int) bool { return s.finished[i].score > s.finished[j].score })
	s.finished = s.finished[:min(len(s.finished), o.Beams)]
	s.running = running[:min(len(running), o.Beams)]
	if last || len(s.running) == 0 {
		s.closed = true
		return
	}
	if len(s.finished) == o.Beams {
		best := s.running[0].score / penalty
		s.closed = o.EarlyStopping || best <= s.finished[o.Beams-1].score
	}
}
