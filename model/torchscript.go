package model

import (
	"errors"
	"math"

	"espalier/torch"
)

// TorchScript is the network as a module that runs without this program, over any number of rows and tokens. Its state has
// the names of the checkpoint, whose memory it shares. B rows are answered together; ids are int64:
//
//	encode(pixel_values [B, 3, size, size]) → prefix [B, queries, width]
//	encode(pixel_values, qformer_input_ids [B, words], qformer_attention_mask [B, words]) → prefix, for InstructBLIP
//	prefill(prefix, input_ids [B, tokens], attention_mask [B, tokens]) → (logits [B, vocabulary], state)
//	step(token [B], state) → (logits [B, vocabulary], state)
//
// input_ids are the words alone: the queries' places come before them without being named. Rows may be padded on either
// side, or within, where attention_mask is 0. The logits are those of the next token of each row, and state, a list of
// tensors, is all that the next step needs: what may be looked at (int64 [B, keys], 1 or 0), for an encoder-decoder the
// positions of the answer (int64 [B, tokens]), and of each layer the keys and values.
func (m *Blip2) TorchScript() (*torch.Module, error) {
	if m.vision == nil {
		return nil, errDecoderScript
	}
	module, err := torch.NewModule("Student", m.store.Named())
	if err != nil {
		return nil, err
	}
	if err := torch.Run(func(*torch.Scope) error { return m.traceMethods(module) }); err != nil {
		module.Close()
		return nil, err
	}
	return module, nil
}

var errDecoderScript = errors.New("model: a decoder without towers is not exported as TorchScript; plain transformers loads its folder where the sizes allow it")

func (m *Blip2) traceMethods(module *torch.Module) error {
	const rows, words = 2, 3 // examples: a method runs at other sizes
	w := m.projection.W.T()
	example := func(name string, shape ...int) torch.Input {
		return torch.Input{Name: name, Operand: torch.Operand{Tensor: torch.Ones(shape, torch.Int64, w.Device())}}
	}
	size := m.config.Vision.Image
	pictures := torch.Input{Name: "pixel_values", Operand: torch.Operand{Tensor: torch.Zeros([]int{rows, 3, size, size}, torch.Float32, w.Device())}}
	inputs := []torch.Input{pictures}
	if m.config.Instruct() {
		inputs = append(inputs, example("qformer_input_ids", rows, words), example("qformer_attention_mask", rows, words))
	}
	err := module.Trace("encode", inputs, func(in []torch.Operand) []torch.Operand {
		b := &Batch{Pictures: in[0].Tensor}
		if len(in) > 1 {
			b.Instruction, b.InstructionMask = in[1].Tensor, in[2].Tensor.GtScalar(0)
		}
		return torch.Operands(m.Prefix(b))
	})
	if err != nil {
		return err
	}
	prefix := torch.Zeros([]int{rows, m.qformer.queries.Units(), w.Size(0)}, m.language.firstWeight().DType(), w.Device())
	inputs = []torch.Input{{Name: "prefix", Operand: torch.Operand{Tensor: prefix}}, example("input_ids", rows, words), example("attention_mask", rows, words)}
	err = module.Trace("prefill", inputs, func(in []torch.Operand) []torch.Operand {
		logits, state := m.prefill(in[0].Tensor, in[1].Tensor, in[2].Tensor)
		return []torch.Operand{{Tensor: logits}, {List: state}}
	})
	if err != nil {
		return err
	}
	filled := module.Call("prefill", torch.Operand{Tensor: prefix}, inputs[1].Operand, inputs[2].Operand)
	inputs = []torch.Input{example("token", rows), {Name: "state", Operand: filled[1]}}
	return module.Trace("step", inputs, func(in []torch.Operand) []torch.Operand {
		logits, state := m.extend(in[0].Tensor, in[1].List)
		return []torch.Operand{{Tensor: logits}, {List: state}}
	})
}

// prefill reads the picture and the words of each row, and gives the logits [rows, vocabulary] of its first answer token.
// Nothing in it depends on the number of rows or tokens, so that a trace of it runs at any.
func (m *Blip2) prefill(prefix, ids, mask *torch.Tensor) (logits *torch.Tensor, state []*torch.Tensor) {
	words := mask.GtScalar(0).To(torch.Int64)
	queries := torch.Ones([]int{1, m.qformer.queries.Units()}, torch.Int64, words.Device())
	seen := torch.Cat(1, queries.ExpandFirst(words), words)
	positions := seen.CumSum(1).AddScalar(-1) // padding takes up none
	embeds := torch.Cat(1, prefix, m.language.Embed(ids).To(prefix.DType()))
	cache := &Cache{joins: true}
	if t5, ok := m.language.(*T5); ok {
		cache.memory = t5.Encode(embeds, positions, seen.GtScalar(0))
		none := words.Slice(1, 0, 1).MulScalar(0)
		start := t5.Embed(none.AddScalar(float64(m.config.Text.Start))).To(prefix.DType())
		return m.Head(t5.Forward(start, none, nil, cache, nil).Select(1, 0)), cache.state(seen)
	}
	at := seen.Places(1)
	visible := seen.GtScalar(0).Unsqueeze(1).And(at.Unsqueeze(0).Le(at.Unsqueeze(1)))
	last := at.Mul(seen).ArgMax(-1).Unsqueeze(1).Unsqueeze(1)
	hidden := m.language.Forward(embeds, positions, additive(visible, prefix.DType()).Unsqueeze(1), cache, func(x *torch.Tensor) *torch.Tensor {
		return x.Gather(1, last.Expand(-1, -1, x.Size(-1))).Select(1, 0)
	})
	return m.Head(hidden), cache.state(seen)
}

// extend reads one more token of each row.
func (m *Blip2) extend(token *torch.Tensor, state []*torch.Tensor) (logits *torch.Tensor, next []*torch.Tensor) {
	embeds := m.embed(token.Unsqueeze(1))
	_, encoded := m.language.(*T5)
	cache, seen := cacheOf(state, encoded)
	look := func() *torch.Tensor { return additive(seen.GtScalar(0), embeds.DType()).Unsqueeze(1).Unsqueeze(1) }
	var mask, position *torch.Tensor
	if encoded {
		cache.memory = &memory{mask: look()}
		position = cache.positions.Slice(1, -1, math.MaxInt).AddScalar(1)
	} else {
		position = seen.SumKeep(1)
		seen = torch.Cat(1, seen, position.GtScalar(0).To(torch.Int64)) // 1: the queries stand before it
		mask = look()
	}
	hidden := m.language.Forward(embeds, position, mask, cache, nil)
	return m.Head(hidden.Select(1, 0)), cache.state(seen)
}

// state is the cache as a list.
func (c *Cache) state(seen *torch.Tensor) []*torch.Tensor {
	out := []*torch.Tensor{seen}
	if c.positions != nil {
		out = append(out, c.positions)
	}
	for i, l := range c.layers {
		out = append(out, l.keys, l.values)
		if c.read != nil {
			out = append(out, c.read[i].keys, c.read[i].values)
		}
	}
	return out
}

// cacheOf is the cache of a list; encoded says that its layers read an encoder.
func cacheOf(state []*torch.Tensor, encoded bool) (c *Cache, seen *torch.Tensor) {
	c, seen, state = &Cache{joins: true}, state[0], state[1:]
	if encoded {
		c.positions, state = state[0], state[1:]
	}
	for len(state) > 0 {
		c.layers, state = append(c.layers, cached{keys: state[0], values: state[1]}), state[2:]
		if encoded {
			c.read, state = append(c.read, readMemory{state[0], state[1]}), state[2:]
		}
	}
	return c, seen
}
