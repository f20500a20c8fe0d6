package model

import (
	"maps"

	"espalier/torch"
	"espalier/torch/nn"
)

// optOffset is the row of OPT's table where position 0 stands in transformers; it reads none of the rows before for a token
// that counts.
const optOffset = 2

// ForHub is the network as transformers' classes declare it, over the same memory: m itself, but for an OPT whose table of
// positions begins with position 0, as those that are trained here. It gets rows of zeros in front, which nothing reads.
func (m *Blip2) ForHub() (Network, error) {
	l, ok := m.language.(*OPT)
	if !ok || l.offset == optOffset {
		return m, nil
	}
	n, err := New(m.config.forHub(m.store.Structure()), m.omitted...)
	if err != nil || m.store.Params()[0].Value == nil { // a declaration alone
		return n, err
	}
	err = torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			for i, p := range n.store.Params() {
				p.Share(m.store.Params()[i].T().Detach())
			}
			table := l.positions.W.T()
			front := torch.Zeros([]int{optOffset, table.Size(1)}, table.DType(), table.Device())
			n.language.(*OPT).positions.W.Set(torch.Cat(0, front, table.Slice(0, l.offset, l.rows)))
		})
		return nil
	})
	return n, err
}

// forHub is the config without the key that only this program reads, and with an id for the picture's place, which
// transformers looks up in the vocabulary: the padding's, which stands in no prompt, or the first where nothing pads.
func (c *Config) forHub(s nn.Structure) *Config {
	out := *c
	out.Structure = &s
	out.Text.PositionOffset = nil
	out.raw = maps.Clone(c.raw)
	if text, ok := c.raw["text_config"].(map[string]any); ok {
		text = maps.Clone(text)
		delete(text, "position_offset")
		out.raw["text_config"] = text
	}
	if out.ImageToken != nil && *out.ImageToken < 0 {
		pad := max(0, out.Text.Pad)
		out.ImageToken = &pad
	}
	return &out
}
