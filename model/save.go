package model

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/disk"
	"espalier/torch/nn"
)

// Save writes config.json, with the structure of the network, and model.safetensors. Where the family's config can
// express the sizes, they stand there too, and plain transformers loads the folder.
func (m *Blip2) Save(folder string) error {
	return torch.Run(func(*torch.Scope) error {
		values := m.store.Named()
		c, err := m.HubConfig()
		if err != nil {
			own := *m.config
			c = &own
		} else {
			m.fold(c, values)
		}
		c.Int8 = m.wholeNumbers(values)
		s := m.store.Structure()
		c.Structure = &s
		if err == nil {
			m.foldScales(s, values)
		}
		if d, one := m.dtype(); one {
			c = c.WithDType(d.String())
		}
		data, err := c.Marshal()
		if err != nil {
			return fmt.Errorf("model: config: %w", err)
		}
		if err := checkpoint.WriteSafeTensors(filepath.Join(folder, checkpoint.SingleFile), values, map[string]string{"format": "pt"}); err != nil {
			return fmt.Errorf("model: %w", err)
		}
		if m.config.generation != nil {
			if err := disk.Write(filepath.Join(folder, generationName), m.config.generation); err != nil {
				return fmt.Errorf("model: %w", err)
			}
		}
		return writeJSON(filepath.Join(folder, "config.json"), data)
	})
}

// HubConfig is the config with the network's present sizes, as transformers builds it from: without the structure
// that this program reads. The error says, for every size, why the family's config cannot express it.
func (m *Blip2) HubConfig() (*Config, error) {
	h := &hubSizes{c: *m.config, headSize: m.config.Text.HeadSize}
	h.c.Structure = nil
	if m.vision != nil {
		if h.c.Classes == nil {
			h.c.Classes = []string{h.c.Class()}
		}
		h.vision(m.vision)
		h.qformer(m.qformer, m.vision.hidden.Units())
	}
	switch l := m.language.(type) {
	case *OPT:
		h.opt(l)
	case *T5:
		h.t5(l)
	case *Llama:
		h.llama(l)
	}
	if slices.ContainsFunc(m.store.Params(), func(p *nn.Param) bool { return p.Int8 }) {
		h.faults = append(h.faults, errInt8)
	}
	if len(h.faults) > 0 {
		return nil, errors.Join(h.faults...)
	}
	return &h.c, nil
}

// hubSizes collects the sizes that a config can say, and what it cannot.
type hubSizes struct {
	c        Config
	headSize int // of the language model before any cut
	faults   []error
}

func (h *hubSizes) fault(format string, args ...any) {
	h.faults = append(h.faults, fmt.Errorf(format, args...))
}

// uniform is the number of units that all axes have.
func (h *hubSizes) uniform(what string, axes []*nn.Axis) int {
	for _, a := range axes {
		if a.Units() != axes[0].Units() {
			h.fault("%s: %s has %d, %s has %d; the config has one number for all", what, axes[0].Name, axes[0].Units(), a.Name, a.Units())
			break
		}
	}
	return axes[0].Units()
}

// heads are the number and the size that all heads of a tower have.
func (h *hubSizes) heads(what string, attentions []*nn.Attention) (number, size int) {
	var heads []*nn.Axis
	size, _ = attentions[0].Sizes()
	for _, a := range attentions {
		heads = append(heads, a.Heads)
		if key, value := a.Sizes(); key != size || value != size {
			h.fault("%s: %s has heads of %d for queries and keys and %d for values, others are of size %d; the config has one number for all",
				what, a.Heads.Name, key, value, size)
			break
		}
	}
	return h.uniform(what, heads), size
}

// quotient checks that the width is heads × head size, for families whose config has no head size.
func (h *hubSizes) quotient(what string, hidden, heads, size int) {
	if heads*size != hidden {
		h.fault("%s: %d heads of size %d make %d, the width is %d; transformers takes the head size to be width / heads", what, heads, size, heads*size, hidden)
	}
}

func (h *hubSizes) vision(v *Vision) {
	var ffn []*nn.Axis
	var heads []*nn.Attention
	for _, l := range v.layers {
		heads, ffn = append(heads, l.attention), append(ffn, l.mlp.ffn)
	}
	c := &h.c.Vision
	c.Hidden, c.Layers = v.hidden.Units(), len(v.layers)
	c.Heads, c.HeadSize = h.heads("vision heads", heads)
	c.Intermediate = h.uniform("vision feed-forward width", ffn)
	h.quotient("vision", c.Hidden, c.Heads, c.HeadSize)
}

func (h *hubSizes) qformer(f *QFormer, vision int) {
	var ffn []*nn.Axis
	var heads []*nn.Attention
	var cross []bool
	for _, l := range f.layers {
		heads, ffn = append(heads, l.self.dims), append(ffn, l.query.mlp.ffn)
		if l.cross != nil {
			heads = append(heads, l.cross.dims)
		}
		if l.text.norm != nil {
			ffn = append(ffn, l.text.mlp.ffn)
		}
		cross = append(cross, l.cross != nil)
	}
	c := &h.c.QFormer
	c.Hidden, c.Layers, c.Encoder = f.hidden.Units(), len(f.layers), vision
	c.Heads, c.HeadSize = h.heads("Q-Former heads", heads)
	c.Intermediate = h.uniform("Q-Former feed-forward width", ffn)
	h.quotient("Q-Former", c.Hidden, c.Heads, c.HeadSize)
	h.c.Queries = f.queries.Units()
	if every := crossFrequency(cross, c.CrossEvery); every > 0 {
		c.CrossEvery = every
	} else {
		h.fault("Q-Former: cross-attention in layers %v follows no cross_attention_frequency", cross)
	}
}

// crossFrequency is the n for which every n-th layer has cross-attention, rather the given one; 0 for none.
func crossFrequency(cross []bool, given int) int {
	candidates := []int{given}
	for n := 1; n <= len(cross); n++ {
		candidates = append(candidates, n)
	}
	for _, n := range candidates {
		fits := true
		for i, has := range cross {
			fits = fits && has == (i%n == 0)
		}
		if fits {
			return n
		}
	}
	return 0
}

func (h *hubSizes) opt(m *OPT) {
	var ffn []*nn.Axis
	var heads []*nn.Attention
	for _, l := range m.layers {
		heads, ffn = append(heads, l.attention), append(ffn, l.mlp.ffn)
	}
	c := &h.c.Text
	c.Hidden, c.Embedding, c.Vocabulary, c.Layers = m.hidden.Units(), m.embedding.Units(), m.vocabulary.Units(), len(m.layers)
	c.Heads, c.HeadSize = h.heads("language heads", heads)
	c.Intermediate = h.uniform("language feed-forward width", ffn)
	h.quotient("language model", c.Hidden, c.Heads, c.HeadSize)
	if m.embedding != m.hidden && h.c.Towers() {
		h.fault("language model: word_embed_proj_dim %d is not hidden_size %d, to which transformers projects the queries", m.embedding.Units(), m.hidden.Units())
	}
	if m.offset != optOffset {
		h.fault("language model: position 0 stands in row %d of the table; transformers' OPT has it in row %d", m.offset, optOffset)
	}
	if c.Eps != 1e-5 {
		h.fault("language model: the norms' eps is %g; transformers' OPT has 1e-5", c.Eps)
	}
}

func (h *hubSizes) t5(m *T5) {
	var ffn []*nn.Axis
	var heads []*nn.Attention
	for _, s := range []*t5Stack{m.encoder, m.decoder} {
		for _, l := range s.layers {
			heads, ffn = append(heads, l.self.dims), append(ffn, l.mlp.ffn)
			if l.cross != nil {
				heads = append(heads, l.cross.dims)
			}
		}
	}
	c := &h.c.Text
	c.Hidden, c.Vocabulary = m.hidden.Units(), m.vocabulary.Units()
	c.Layers, c.DecoderLayers = len(m.encoder.layers), len(m.decoder.layers)
	c.Heads, c.HeadSize = h.heads("language heads", heads)
	c.Intermediate = h.uniform("language feed-forward width", ffn)
}

func (h *hubSizes) llama(m *Llama) {
	var ffn []*nn.Axis
	var heads []*nn.Attention
	for _, l := range m.layers {
		heads, ffn = append(heads, l.attention), append(ffn, l.mlp.ffn)
	}
	c := &h.c.Text
	c.Hidden, c.Vocabulary, c.Layers = m.hidden.Units(), m.vocabulary.Units(), len(m.layers)
	c.Heads, c.HeadSize = h.heads("language heads", heads)
	c.Intermediate = h.uniform("language feed-forward width", ffn)
	c.KVHeads = m.layers[0].kv
	if c.HeadSize != h.headSize {
		h.fault("language model: heads of size %d that were cut from %d; transformers' LLaMA turns the pairs of a whole head", c.HeadSize, h.headSize)
	}
	if c.Hidden%c.Heads != 0 {
		h.fault("language model: the width %d is no multiple of the %d heads, which transformers' LlamaConfig demands", c.Hidden, c.Heads)
	}
}

func writeJSON(path string, data []byte) error {
	return disk.Write(path, append(data, '\n'))
}
