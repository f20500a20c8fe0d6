package model

import (
	"fmt"
	"maps"
	"slices"

	"espalier/torch"
)

// Inputs are what transformers' forward takes, under its names: the queries' places are marked in the ids by the image
// token, rows may be padded on either side.
type Inputs struct {
	Pictures        *torch.Tensor // pixel_values, normalised, [rows, 3, size, size]; nil for a decoder alone
	IDs             *torch.Tensor // input_ids, int64 [rows, tokens]
	Mask            *torch.Tensor // attention_mask, [rows, tokens]; nil is all ones
	Instruction     *torch.Tensor // qformer_input_ids, int64 [rows, words]; for InstructBLIP
	InstructionMask *torch.Tensor // qformer_attention_mask, [rows, words]; nil is all ones
	DecoderIDs      *torch.Tensor // decoder_input_ids, int64 [rows, tokens]; for T5
}

// Outputs are what transformers' forward gives, and what it computes on the way; of a decoder alone the logits.
type Outputs struct {
	Vision     *torch.Tensor // vision_last_hidden, [rows, 1 + patches, vision hidden]
	Pooled     *torch.Tensor // vision_pooler, [rows, vision hidden]
	QFormer    *torch.Tensor // qformer_output, [rows, queries + words, Q-Former hidden]
	Projection *torch.Tensor // language_projection, [rows, queries, language hidden]
	Logits     *torch.Tensor // [rows, tokens, vocabulary]; nil for a T5 without decoder ids
}

// check finds what the network would stumble over.
func (in Inputs) check(m *Blip2) error {
	c := m.config
	switch {
	case !c.Towers() && in.Pictures != nil:
		return fmt.Errorf("pixel_values are given, and the network sees no pictures; leave them out")
	case !c.Towers() && (in.IDs == nil || in.IDs.Rank() != 2):
		return fmt.Errorf("input_ids [rows, tokens] are needed")
	case !c.Towers():
		return nil
	case in.Pictures == nil || in.Pictures.Rank() != 4:
		return fmt.Errorf("pixel_values [rows, 3, size, size] are needed")
	case !slices.Equal(in.Pictures.Shape()[1:], []int{3, c.Vision.Image, c.Vision.Image}):
		return fmt.Errorf("pixel_values are %v, the network sees pictures of [rows, 3, %d, %[2]d]; make them with this checkpoint's preprocessor", in.Pictures.Shape(), c.Vision.Image)
	case in.IDs == nil || in.IDs.Rank() != 2:
		return fmt.Errorf("input_ids [rows, tokens] are needed")
	case c.Instruct() && in.Instruction == nil:
		return fmt.Errorf("qformer_input_ids are needed: the Q-Former of this checkpoint reads the question")
	case c.ImageToken == nil:
		return fmt.Errorf("config.json has no image_token_index, which marks the pictures' places in input_ids")
	}
	n := m.qformer.queries.Units()
	image := int64(*c.ImageToken)
	width := in.IDs.Size(1)
	ids := torch.Values[int64](in.IDs)
	for row := 0; row*width < len(ids); row++ {
		marks := 0
		for _, id := range ids[row*width : (row+1)*width] {
			if id == image {
				marks++
			}
		}
		if marks != n {
			return fmt.Errorf("row %d of input_ids has %d image tokens (id %d), the network has %d queries; put exactly that many", row, marks, image, n)
		}
	}
	return nil
}

// merged is the state of a forward before the language model.
type merged struct {
	Outputs
	embeds    *torch.Tensor // [rows, tokens, width], queries in their places
	positions *torch.Tensor // int64 [rows, tokens]
	seen      *torch.Tensor // bool [rows, tokens]
}

func (m *Blip2) merge(in Inputs) merged {
	var out merged
	if m.vision != nil {
		m.look(&out, in)
	}
	mask := in.Mask
	if mask == nil {
		mask = torch.Ones(in.IDs.Shape(), torch.Int64, in.IDs.Device())
	}
	out.seen = mask.GtScalar(0)
	out.embeds = m.embed(in.IDs)
	if m.vision != nil {
		marks := in.IDs.EqScalar(float64(*m.config.ImageToken)).Unsqueeze(-1)
		out.embeds = out.embeds.MaskedScatter(marks, out.Projection.To(out.embeds.DType()))
	}
	if m.config.Text.ModelType == "opt" { // counts what is there; padding stands before position 0
		counted := out.seen.To(torch.Int64)
		out.positions = counted.CumSum(1).Mul(counted).AddScalar(-1)
	} else { // only distances matter
		out.positions = torch.Arange(0, in.IDs.Size(1), in.IDs.Device()).Unsqueeze(0).ExpandFirst(in.IDs)
	}
	return out
}

// look computes what the language model reads of the pictures.
func (m *Blip2) look(out *merged, in Inputs) {
	out.Vision = m.Vision(in.Pictures)
	out.Pooled = m.vision.norm.Forward(out.Vision.Slice(1, 0, 1)).Select(1, 0)
	if in.Instruction == nil {
		out.QFormer = m.QFormer(out.Vision)
	} else {
		words := in.InstructionMask
		if words == nil {
			words = torch.Ones(in.Instruction.Shape(), torch.Int64, in.Instruction.Device())
		}
		out.QFormer = m.qformer.Forward(likeWeights(out.Vision, m.qformer.tokens), in.Instruction, words.GtScalar(0))
	}
	out.Projection = m.Project(out.QFormer.Slice(1, 0, m.queries()))
}

// Forward computes what transformers' forward does. Rows of logits at padding are meaningless, as there.
func (m *Blip2) Forward(in Inputs) (Outputs, error) {
	if err := in.check(m); err != nil {
		return Outputs{}, fmt.Errorf("model: forward: %w", err)
	}
	x := m.merge(in)
	if t5, ok := m.language.(*T5); ok {
		if in.DecoderIDs != nil {
			read := t5.Encode(x.embeds, x.positions, x.seen)
			x.Logits = m.Head(t5.Answer(in.DecoderIDs, read, nil, nil))
		}
		return x.Outputs, nil
	}
	x.Logits = m.Head(m.language.Forward(x.embeds, x.positions, x.mask(), nil, nil))
	return x.Outputs, nil
}

// mask lets each token see those up to itself that are there, and itself: a row that sees nothing would be no number.
func (x merged) mask() *torch.Tensor {
	n := x.seen.Size(1)
	at := torch.Arange(0, n, x.seen.Device())
	own := at.Unsqueeze(0).Eq(at.Unsqueeze(1)).Unsqueeze(0)
	before := at.Unsqueeze(0).Le(at.Unsqueeze(1)).Unsqueeze(0)
	return additive(x.seen.Unsqueeze(1).And(before).Or(own), x.embeds.DType()).Unsqueeze(1)
}

// Continue generates from inputs as transformers' generate does; decoder ids are not read. It gives the new tokens of
// each row, end-of-sequence left out.
func (m *Blip2) Continue(in Inputs, o GenerateOptions) (answers [][]int, err error) {
	if err := in.check(m); err != nil {
		return nil, fmt.Errorf("model: generate: %w", err)
	}
	if err := o.check(m); err != nil {
		return nil, err
	}
	err = torch.Run(func(*torch.Scope) error {
		torch.Inference(func() {
			d, hidden := m.continued(in, max(1, o.Beams), o.MaxTokens)
			answers = d.search(hidden, o)
		})
		return nil
	})
	return answers, err
}

// continued is the decoder after the inputs, and the state [rows, width] that predicts the first token of each row.
func (m *Blip2) continued(in Inputs, beams, maxTokens int) (*decoder, *torch.Tensor) {
	x := m.merge(in)
	rows, width := in.IDs.Size(0), in.IDs.Size(1)
	d := &decoder{m: m, on: in.IDs.Device(), cache: &Cache{room: beams * (maxTokens - 1)}, rows: rows, beams: beams, slots: beams}
	for i := range rows {
		d.owner, d.place = append(d.owner, i), append(d.place, 0)
	}
	if t5, ok := m.language.(*T5); ok {
		read := t5.Encode(x.embeds, x.positions, x.seen)
		start := torch.Full([]int{rows, 1}, float64(m.config.Text.Start), torch.Int64, d.on)
		d.seeStart()
		return d, t5.Answer(start, read, d.cache, nil).Select(1, 0)
	}
	d.keys, d.all = width, d.slots == 1
	seen, positions := torch.Values[int64](x.seen.To(torch.Int64)), torch.Values[int64](x.positions)
	last := make([]int, rows)
	for i := range rows {
		row := make([]bool, width)
		for k := range row {
			row[k] = seen[i*width+k] != 0
			d.all = d.all && row[k]
			if row[k] {
				last[i] = i*width + k
			}
		}
		d.visible, d.first = append(d.visible, row), append(d.first, int(positions[last[i]])+1)
	}
	hidden := m.language.Forward(x.embeds, x.positions, x.mask(), d.cache, nil)
	return d, hidden.Flatten(0, 1).IndexSelect(0, torch.FromInts(last, d.on, rows))
}

// InputsOf finds the inputs among tensors under transformers' names.
func InputsOf(named map[string]*torch.Tensor) Inputs {
	return Inputs{
		Pictures: named["pixel_values"], IDs: named["input_ids"], Mask: named["attention_mask"],
		Instruction: named["qformer_input_ids"], InstructionMask: named["qformer_attention_mask"],
		DecoderIDs: named["decoder_input_ids"],
	}
}

// Named are the outputs that there are, under the fixtures' names.
func (o Outputs) Named() map[string]*torch.Tensor {
	out := map[string]*torch.Tensor{
		"vision_last_hidden": o.Vision, "vision_pooler": o.Pooled, "qformer_output": o.QFormer,
		"language_projection": o.Projection, "logits": o.Logits,
	}
	maps.DeleteFunc(out, func(_ string, t *torch.Tensor) bool { return t == nil })
	return out
}
