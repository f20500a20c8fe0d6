package model

import (
	"slices"

	"espalier/torch"
)

// GenerateOptions says how answers are found.
type GenerateOptions struct {
	MaxTokens int   // of an answer, end-of-sequence included
	MinTokens int   // before which no end is taken
	Ends      []int // ids that end an answer, as transformers' eos_token_id; without any it ends after MaxTokens
	// Beams above 1 search with that many hypotheses, with the meaning of transformers' num_beams.
	Beams         int
	LengthPenalty float64 // exponent on a hypothesis' length; 0 ranks by the plain sum of log-probabilities
	EarlyStopping bool    // stop when Beams hypotheses are complete
	// LogProbs, where it is not nil, receives the log-probability of each token of the greedy answers, [picture][question][token]. An
	// answer's end has one too, the last.
	LogProbs *[][][]float64
}

// Generate answers the prompts of all questions of all pictures together: questions[i] are those of picture i of the
// normalised pictures [batch, 3, size, size]. What questions of a picture can share is computed once, keys and values of
// earlier tokens are kept. An answer ends with any of the ends, which is left out, or after MaxTokens.
func (m *Blip2) Generate(pictures *torch.Tensor, questions [][]Question, o GenerateOptions) (answers [][][]int, err error) {
	if err := o.check(m); err != nil {
		return nil, err
	}
	err = torch.Run(func(*torch.Scope) error {
		var done bool
		var inner error
		if answers, done, inner = m.leanlyWhereRecorded(pictures, questions, o); done || inner != nil {
			return inner
		}
		torch.Inference(func() { answers, inner = m.generate(pictures, questions, o) })
		return inner
	})
	return answers, err
}

func (m *Blip2) generate(pictures *torch.Tensor, questions [][]Question, o GenerateOptions) ([][][]int, error) {
	d, hidden, err := m.newDecoder(pictures, questions, max(1, o.Beams), o.MaxTokens)
	if err != nil {
		return nil, err
	}
	answers := byPicture(d.search(hidden, o), questions)
	if o.LogProbs != nil {
		*o.LogProbs = byPicture(d.logProbs, questions)
	}
	return answers, nil
}

// byPicture divides what there is of each question.
func byPicture[T any](flat []T, questions [][]Question) [][]T {
	out := make([][]T, len(questions))
	for i, qs := range questions {
		n := len(qs)
		out[i], flat = flat[:n:n], flat[n:]
	}
	return out
}

// search is greedy, or with beams.
func (d *decoder) search(hidden *torch.Tensor, o GenerateOptions) [][]int {
	if o.Beams > 1 {
		return d.beamSearch(hidden, o)
	}
	return d.greedy(hidden, o)
}

// decoder extends the prompts of a batch token by token. Each prompt has a number of slots; the slots of a batch's row
// stand beside each other, filled up with idle ones where rows have different numbers of prompts.
type decoder struct {
	m       *Blip2
	on      torch.Device
	cache   *Cache
	rows    int
	owner   []int // row of each prompt
	place   []int // first slot of each prompt within its row
	first   []int // position of the first token after each prompt
	beams   int
	slots   int      // of a row
	keys    int      // tokens that the cache holds
	visible [][]bool // which keys of prefix and prompts a prompt's slots look at, [prompt][key]
	all     bool     // they look at all of them

	logProbs [][]float64 // of the tokens of each greedy answer; nil where nobody asks
}

// newDecoder runs prefix and prompts, and returns the hidden state [prompts, hidden] after each prompt's last token.
func (m *Blip2) newDecoder(pictures *torch.Tensor, questions [][]Question, beams, maxTokens int) (*decoder, *torch.Tensor, error) {
	form := m.Form()
	asked := make([][]Question, len(questions))
	var rows [][]Question // of the batch
	for i, qs := range questions {
		for _, q := range qs {
			q.Answer = []int{0} // scores the last token
			asked[i] = append(asked[i], q)
			if form.rowEach() {
				rows = append(rows, []Question{q})
			}
		}
		if !form.rowEach() {
			rows = append(rows, asked[i])
		}
	}
	d := &decoder{m: m, on: pictures.Device(), cache: &Cache{}, beams: beams, rows: len(rows)}
	for i, qs := range rows {
		for j := range qs {
			d.owner, d.place = append(d.owner, i), append(d.place, j*beams)
		}
		d.slots = max(d.slots, len(qs)*beams)
	}
	b, err := form.Pack(pictures, asked, d.on)
	if err != nil {
		return nil, nil, err
	}
	d.cache.room = d.slots * (maxTokens - 1)
	hidden := m.run(m.Prefix(b), b, d.cache)
	if form.EncoderDecoder {
		d.seeStart()
	} else {
		d.keys = m.queries() + b.IDs.Size(1)
		d.see(rows)
	}
	return d, hidden, nil
}

// seeStart is for decoders of their own: all there is before the answer is the start token.
func (d *decoder) seeStart() {
	d.keys, d.all = 1, d.slots == 1
	for range d.owner {
		d.first, d.visible = append(d.first, 1), append(d.visible, []bool{true})
	}
}

// see works out which keys each prompt's slots may look at.
func (d *decoder) see(rows [][]Question) {
	prefix := d.m.queries()
	d.all = d.slots == 1
	for _, qs := range rows {
		at := prefix
		for _, q := range qs {
			row := make([]bool, d.keys)
			for k := range row {
				row[k] = k < prefix || (k >= at && k < at+len(q.Prompt))
				d.all = d.all && row[k]
			}
			at += len(q.Prompt)
			d.first, d.visible = append(d.first, prefix+len(q.Prompt)), append(d.visible, row)
		}
	}
}

// maskOf is the additive mask [rows or 1, 1, slots, keys] for the visible keys of each slot, in one row when all
// rows have the same; idle slots see everything.
func (d *decoder) maskOf(keys int, visible func(prompt, beam int) []bool) *torch.Tensor {
	size := d.slots * keys
	mask := make([]float32, d.rows*size)
	for p, owner := range d.owner {
		for k := range d.beams {
			row := mask[owner*size+(d.place[p]+k)*keys:][:keys]
			for i, seen := range visible(p, k) {
				if !seen {
					row[i] = float32(minusInfinity)
				}
			}
		}
	}
	rows := 1
	for i := 1; i < d.rows; i++ {
		if !slices.Equal(mask[:size], mask[i*size:(i+1)*size]) {
			rows = d.rows
			break
		}
	}
	return torch.From(mask[:rows*size], d.on, rows, 1, d.slots, keys)
}

// step runs one token a slot, ids[prompt·beams + beam], the n-th after the prompt, and returns the hidden states
// [prompts·beams, hidden]. The mask covers the cached keys and then the new ones.
func (d *decoder) step(ids []int, n int, mask *torch.Tensor) *torch.Tensor {
	m := d.m
	row, positions := make([]int, d.rows*d.slots), make([]int, d.rows*d.slots)
	rows := make([]int, 0, len(ids))
	longest := 0
	for p, owner := range d.owner {
		for k := range d.beams {
			at := owner*d.slots + d.place[p] + k
			row[at] = ids[p*d.beams+k]
			positions[at] = d.first[p] + n
			longest = max(longest, positions[at]+1)
			rows = append(rows, at)
		}
	}
	m.language.checkPositions(longest)
	embeds := m.embed(torch.FromInts(row, d.on, d.rows, d.slots))
	if mask != nil {
		mask = mask.To(embeds.DType())
	}
	hidden := m.language.Forward(embeds, torch.FromInts(positions, d.on, d.rows, d.slots), mask, d.cache, nil).Flatten(0, 1)
	d.keys += d.slots
	if len(rows) == len(row) {
		return hidden
	}
	return hidden.IndexSelect(0, torch.FromInts(rows, d.on, len(rows)))
}

// greedy takes the most likely token at each step.
func (d *decoder) greedy(hidden *torch.Tensor, o GenerateOptions) [][]int {
	answers := make([][]int, len(d.owner))
	done := make([]bool, len(d.owner))
	ids := make([]int, len(d.owner))
	mask := d.greedyMask(o.MaxTokens - 1)
	if o.LogProbs != nil {
		d.logProbs = make([][]float64, len(d.owner))
	}
	for n := 0; ; n++ {
		open := 0
		logits := d.logits(hidden, n, o)
		best := logits.ArgMax(-1)
		if d.logProbs != nil {
			d.hear(logits, best, done)
		}
		for i, id := range torch.Values[int64](best) {
			ids[i] = int(id)
			done[i] = done[i] || o.ends(ids[i])
			if !done[i] {
				answers[i] = append(answers[i], ids[i])
				open++
			}
		}
		if open == 0 || n+1 == o.MaxTokens {
			return answers
		}
		var seen *torch.Tensor
		if mask != nil {
			seen = mask.Narrow(3, 0, d.keys+d.slots)
		}
		hidden = d.step(ids, n, seen)
	}
}

// hear notes the log-probabilities of the tokens that continue the open answers.
func (d *decoder) hear(logits, best *torch.Tensor, done []bool) {
	if logits.DType() != torch.Float64 {
		logits = logits.To(torch.Float32) // halves would be too coarse
	}
	for i, p := range logits.LogSoftmax(-1).Gather(-1, best.Unsqueeze(-1)).Floats() {
		if !done[i] {
			d.logProbs[i] = append(d.logProbs[i], p)
		}
	}
}

// greedyMask is the mask for all steps: of the keys that a step adds, a slot sees its own. nil when every key is seen.
func (d *decoder) greedyMask(steps int) *torch.Tensor {
	if d.all {
		return nil
	}
	keys := d.keys + steps*d.slots
	return d.maskOf(keys, func(prompt, _ int) []bool {
		row := make([]bool, keys)
		copy(row, d.visible[prompt])
		for k := d.keys + d.place[prompt]; k < keys; k += d.slots {
			row[k] = true
		}
		return row
	})
}

// logits of the next token, the n-th of the answers; while it may not end, all ends are out.
func (d *decoder) logits(hidden *torch.Tensor, n int, o GenerateOptions) *torch.Tensor {
	logits := d.m.Head(hidden)
	if n >= o.MinTokens {
		return logits
	}
	ids := torch.Arange(0, logits.Size(-1), d.on)
	for _, end := range o.Ends {
		logits = logits.MaskedFill(ids.EqScalar(float64(end)), minusInfinity)
	}
	return logits
}

// ends tells whether the id ends an answer.
func (o GenerateOptions) ends(id int) bool { return slices.Contains(o.Ends, id) }
