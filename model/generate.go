package model

import (
	"errors"
	"slices"

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
		torch.Inference(func() { answers, inner = m.generate(pictures, prompts, o) })
		return inner
	})
	return answers, err
}

func (m *Blip2) generate(pictures *torch.Tensor, prompts [][][]int, o GenerateOptions) ([][][]int, error) {
	d, hidden, err := m.newDecoder(pictures, prompts, max(1, o.Beams), o.MaxTokens)
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
	slots   int      // of a row
	keys    int      // tokens that the cache holds
	visible [][]bool // which keys of prefix and prompts a prompt's slots look at, [prompt][key]
	all     bool     // they look at all of them
}

// newDecoder runs prefix and prompts, and returns the hidden state [prompts, hidden] after each prompt's last token.
func (m *Blip2) newDecoder(pictures *torch.Tensor, prompts [][][]int, beams, maxTokens int) (*decoder, *torch.Tensor, error) {
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
	d.cache.room = d.slots * (maxTokens - 1)
	hidden := m.run(m.Prefix(pictures), b, d.cache)
	d.keys = m.qformer.queries.Units() + b.IDs.Size(1)
	d.see(questions)
	return d, hidden, nil
}

// see works out which keys each prompt's slots may look at.
func (d *decoder) see(questions [][]Question) {
	prefix := d.m.qformer.queries.Units()
	d.all = d.slots == 1
	for _, qs := range questions {
		at := prefix
		for _, q := range qs {
			row := make([]bool, d.keys)
			for k := range row {
				row[k] = k < prefix || (k >= at && k < at+len(q.Prompt))
				d.all = d.all && row[k]
			}
			at += len(q.Prompt)
			d.visible = append(d.visible, row)
		}
	}
}

// maskOf is the additive mask [pictures or 1, 1, slots, keys] for the visible keys of each slot, in one row when all
// pictures have the same; idle slots see everything.
func (d *decoder) maskOf(keys int, visible func(prompt, beam int) []bool) *torch.Tensor {
	size := d.slots * keys
	mask := make([]float32, len(d.asked)*size)
	for p, picture := range d.owner {
		for k := range d.beams {
			row := mask[picture*size+(d.place[p]+k)*keys:][:keys]
			for i, seen := range visible(p, k) {
				if !seen {
					row[i] = float32(minusInfinity)
				}
			}
		}
	}
	rows := 1
	for i := 1; i < len(d.asked); i++ {
		if !slices.Equal(mask[:size], mask[i*size:(i+1)*size]) {
			rows = len(d.asked)
			break
		}
	}
	return torch.From(mask[:rows*size], d.on, rows, 1, d.slots, keys)
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
	hidden := m.language.Forward(embeds, torch.FromInts(positions, d.on, len(d.asked), d.slots), mask, d.cache, nil).Flatten(0, 1)
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
		var seen *torch.Tensor
		if mask != nil {
			seen = mask.Narrow(3, 0, d.keys+d.slots)
		}
		hidden = d.step(ids, n, seen)
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

// group sorts answers by picture.
func (d *decoder) group(flat [][]int) [][][]int {
	out := make([][][]int, len(d.asked))
	for i, n := range d.asked {
		out[i], flat = flat[:n:n], flat[n:]
	}
	return out
}
