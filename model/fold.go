package model

import (
	"fmt"
	"math"

	"espalier/torch"
	"espalier/torch/nn"
)

// fold puts into a weight what the family's config cannot say: a T5 that scales its outputs does so by the width that
// its config has, where the pruned network keeps to the original's.
func (m *Blip2) fold(c *Config, values map[string]*torch.Tensor) {
	t5, ok := m.language.(*T5)
	if !ok || t5.headScale == 1 || c.Text.Hidden == m.config.Text.Hidden {
		return
	}
	norm := t5.decoder.norm.W
	torch.NoGrad(func() {
		values[norm.Name] = norm.T().MulScalar(t5.headScale * math.Sqrt(float64(c.Text.Hidden)))
	})
}

// scaledAttention is an attention whose scores are multiplied by a scale.
type scaledAttention struct {
	dims  *nn.Attention
	query *nn.Linear // the first rows of it are the query's
	scale float64
	fact  string // of its block
}

func (m *Blip2) scaledAttentions() (out []scaledAttention) {
	if m.vision != nil {
		for _, l := range m.vision.layers {
			out = append(out, scaledAttention{l.attention, l.qkv, l.scale, "attention_scale"})
		}
		for _, l := range m.qformer.layers {
			out = append(out, scaledAttention{l.self.dims, l.self.query, l.self.scale, "attention_scale"})
			if l.cross != nil {
				out = append(out, scaledAttention{l.cross.dims, l.cross.query, l.cross.scale, "crossattention_scale"})
			}
		}
	}
	if opt, ok := m.language.(*OPT); ok {
		for _, l := range opt.layers {
			out = append(out, scaledAttention{l.attention, l.query, l.scale, "attention_scale"})
		}
	}
	return out
}

// foldScales puts into the queries what the original head size makes of the attention scale: transformers reckons it from the
// size that the heads now have. The structure's facts then say the same.
func (m *Blip2) foldScales(s nn.Structure, values map[string]*torch.Tensor) {
	facts := map[string]map[string]any{}
	for _, l := range s.Layers {
		facts[l["name"].(string)] = l
	}
	for _, a := range m.scaledAttentions() {
		size, _ := a.dims.Sizes()
		scale := attentionScale(size)
		if a.scale == scale {
			continue
		}
		stack, unit := a.query.W.Layer()
		facts[fmt.Sprintf("%s.%d", stack.Name, unit)][a.fact] = scale
		rows := a.dims.Query().Size()
		for _, p := range []*nn.Param{a.query.W, a.query.B} {
			if p == nil {
				continue
			}
			torch.NoGrad(func() {
				t := p.T()
				query := t.Slice(0, 0, rows).MulScalar(a.scale / scale)
				if t.Size(0) > rows {
					query = torch.Cat(0, query, t.Slice(0, rows, t.Size(0)))
				}
				values[p.Name] = query
			})
		}
	}
}
