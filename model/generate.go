package model

import (
	"errors"

	"espalier/torch"
)

// GenerateOptions says how answers are found.
type GenerateOptions struct {
	MaxTokens int // of an answer, end-of-sequence included
	EOS       int
	// Beams above 1 search with that many hypotheses, with the meaning of transformers' num_beams.
	Beams         int
	LengthPenalty float64 // exponent on a hypothesis' length; 0 ranks by the plain sum of log-probabilities
	EarlyStopping bool    // stop when Beams hypotheses are complete
}

// Generate answers all prompts of all pictures together: prompts[i] are those of picture i of the normalised pictures
// [batch, 3, size, size]. The visual prefix is computed once a picture, keys and values of earlier tokens are kept. An
// answer ends with end-of-sequence, which is left out, or after MaxTokens.
func (m *Blip2) Generate(pictures *torch.Tensor, prompts [][][]int, o GenerateOptions) (answers [][][]int, err error) {
	if o.MaxTokens < 1 {
		return nil, errors.New("model: generate: at least one token must be allowed")
	}
	err = torch.Run(func(*torch.Scope) error {
		var inner error
		torch.NoGrad(func() { answers, inner = m.generate(pictures, prompts, o) })
		return inner
	})
	return answers, err
}

func (m *Blip2) generate(pictures *torch.Tensor, prompts [][][]int, o GenerateOptions) ([][][]int, error) {
	d, hidden, err := m.newDecoder(pictures, prompts, max(1, o.Beams))
	if err != nil {
		return nil, err
	}
	if o.Beams > 1 {
		return d.group(d.beamSearch(hidden, o)), nil
	}
	return d.group(d.greedy(hidden, o)), nil
}

// decoder extends the packed prompts of a batch token by token. Each prompt has a number of slots; the slots of a
// picture form one row, filled up with idle ones where pictures have different numbers of prompts.
type decoder struct {
	m       *Blip2
	on      torch.Device
	cache   *Cache
	asked   []int // prompts of each picture
	owner   []int // picture of each prompt
	place   []int // first slot of each prompt within its picture's row
	length  []int // tokens of each prompt
	beams   int
	slots   int           // of a row
	keys    int           // tokens that the cache holds
	first   *torch.Tensor // mask of the slots over the keys of prefix and prompts; nil when every key is seen
	visible [][]bool      // the same in Go, [prompt][key]
}

// newDecoder runs prefix and prompts, and returns the hidden state [prompts, hidden] after each prompt's last token.
func (m *Blip2) newDecoder(pictures *torch.Tensor, prompts [][][]int, beams int) (*decoder, *torch.Tensor, error) {
	questions := make([][]Question, len(prompts))
	d := &decoder{m: m, on: pictures.Device(), cache: &Cache{}, beams: beams}
	for i, ps := range prompts {
		for j, p := range ps {
			questions[i] = append(questions[i], Question{Prompt: p, Answer: []int{0}}) // scores the last token
			d.owner, d.place, d.length = append(d.owner, i), append(d.place, j*beams), append(d.length, len(p))
		}
		d.asked = append(d.asked, len(ps))
		d.slots = max(d.slots, len(ps)*beams)
	}
	b, err := Pack(pictures, questions, d.on)
	if err != nil {
		return nil, nil, err
	}
	hidden := m.run(m.Prefix(pictures), b, d.cache).Flatten(0, 1).IndexSelect(0, b.Rows)
	d.keys = m.qformer.queries.Units() + b.IDs.Size(1)
	d.see(questions)
	return d, hidden, nil
}

// see works out which keys each prompt's slots may look at.
func (d *decoder) see(questions [][]Question) {
	prefix, all := d.m.qformer.queries.Units(), true
	for _, qs := range questions {
		at := prefix
		for _, q := range qs {
			row := make([]bool, d.keys)
			for k := range row {
				row[k] = k < prefix || (k >= at && k < at+len(q.Prompt))
				all = all && row[k]
			}
			at += len(q.Prompt)
			d.visible = append(d.visible, row)
		}
	}
	if !all || d.slots > 1 {
		d.first = d.maskOf(func(prompt, _ int) []bool { return d.visible[prompt] })
	}
}

// maskOf is the additive mask [pictures, 1, slots, keys] for the visible keys of each slot; idle slots see everything.
func (d *decoder) maskOf(visible func(prompt, beam int) []bool) *torch.Tensor {
	mask := make([]float32, len(d.asked)*d.slots*d.keys)
	for p, picture := range d.owner {
		for k := range d.beams {
			row := mask[(picture*d.slots+d.place[p]+k)*d.keys:][:d.keys]
			for i, seen := range visible(p, k) {
				if !seen {
					row[i] = float32(minusInfinity)
				}
			}
		}
	}
	return torch.From(mask, d.on, len(d.asked), 1, d.slots, d.keys)
}

// step runs one token a slot, ids[prompt·beams + beam], the n-th after the prompt, and returns the hidden states
// [prompts·beams, hidden]. The mask covers the cached keys and then the new ones.
func (d *decoder) step(ids []int, n int, mask *torch.Tensor) *torch.Tensor {
	m := d.m
	row, positions := make([]int, len(d.asked)*d.slots), make([]int, len(d.asked)*d.slots)
	rows := make([]int, 0, len(ids))
	longest := 0
	for p, picture := range d.owner {
		for k := range d.beams {
			at := picture*d.slots + d.place[p] + k
			row[at] = ids[p*d.beams+k]
			positions[at] = m.qformer.queries.Units() + d.length[p] + n
			longest = max(longest, positions[at]+1)
			rows = append(rows, at)
		}
	}
	m.language.checkPositions(longest)
	embeds := m.language.embed.Forward(torch.FromInts(row, d.on, len(d.asked), d.slots))
	if mask != nil {
		mask = mask.To(embeds.DType())
	}
	hidden := m.language.Forward(embeds, torch.FromInts(positions, d.on, len(d.asked), d.slots), mask, d.cache).Flatten(0, 1)
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
	mask := d.first
	var own *torch.Tensor // each slot sees, of a step's keys, its own
	if mask != nil {
		own = diagonalMask(d.slots, d.on)
	}
	for n := 0; ; n++ {
		open := 0
		for i, id := range torch.Values[int64](d.m.Head(hidden).ArgMax(-1)) {
			ids[i] = int(id)
			if ids[i] == o.EOS {
				done[i] = true
			}
			if !done[i] {
				answers[i] = append(answers[i], ids[i])
				open++
			}
		}
		if open == 0 || n+1 == o.MaxTokens {
			return answers
		}
		if mask != nil {
			mask = torch.Cat(3, mask, own.ExpandFirst(mask))
		}
		hidden = d.step(ids, n, mask)
	}
}

// diagonalMask is [1, 1, n, n] with 0 on the diagonal and minus infinity elsewhere.
func diagonalMask(n int, on torch.Device) *torch.Tensor {
	mask := make([]float32, n*n)
	for i := range mask {
		if i/n != i%n {
			mask[i] = float32(minusInfinity)
		}
	}
	return torch.From(mask, on, 1, 1, n, n)
}

// group sorts answers by picture.
func (d *decoder) group(flat [][]int) [][][]int {
	out := make([][][]int, len(d.asked))
	for i, n := range d.asked {
		out[i], flat = flat[:n:n], flat[n:]
	}
	return out
}
