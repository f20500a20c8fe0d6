package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/checkpoint"
)

func forward(flags *flag.FlagSet) func([]string, io.Writer) error {
	folder := flags.String("m", "", "checkpoint `folder`")
	in := flags.String("in", "", "safetensors `file` with pixel_values, input_ids, attention_mask, …, as transformers names them")
	to := flags.String("out", "", "safetensors `file` for the outputs")
	tokens := flags.Int("max-new-tokens", 0, "generate exactly this many tokens greedily, as generate_ids")
	on := device(flags)
	return func(args []string, out io.Writer) error {
		if *folder == "" || *in == "" || *to == "" || len(args) > 0 {
			return usagef("model forward: -m, -in and -out are needed, and nothing more")
		}
		return computed(flags, *folder, *in, *on, *tokens, func(outputs map[string]*torch.Tensor) error {
			for name, v := range outputs {
				outputs[name] = v.ToDevice(torch.CPU).Contiguous()
			}
			if err := checkpoint.WriteSafeTensors(*to, outputs, nil); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: %d outputs\n", *to, len(outputs))
			return nil
		})
	}
}

// computed hands over the outputs of a checkpoint for the inputs of a file; they live until use returns.
func computed(flags *flag.FlagSet, folder, file, on string, tokens int, use func(map[string]*torch.Tensor) error) error {
	where, err := torch.ParseDevice(on)
	if err != nil {
		return err
	}
	inputs, err := checkpoint.ReadSafeTensors(file, where)
	if err != nil {
		return err
	}
	defer free(inputs)
	m, err := model.Load(folder, where)
	if err != nil {
		return err
	}
	defer m.Store().Free()
	tell(flags, m)
	// The inputs hold finished pictures. A preprocessor that does not fit would have made them for another network.
	if _, err := model.LoadPreprocessorFor(folder, m.Config()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return torch.Run(func(*torch.Scope) error {
		in := model.InputsOf(inputs)
		var out model.Outputs
		var err error
		torch.NoGrad(func() { out, err = m.Forward(in) })
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		named := out.Named()
		if tokens > 0 {
			if named["generate_ids"], err = continued(m, in, tokens); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		return use(named)
	})
}

// continued are the ids that transformers' generate returns: the prompt, or T5's start token, and the new tokens.
func continued(m *model.Blip2, in model.Inputs, tokens int) (*torch.Tensor, error) {
	answers, err := m.Continue(in, model.GenerateOptions{MaxTokens: tokens, MinTokens: tokens, Ends: m.Config().Ends()})
	if err != nil {
		return nil, err
	}
	rows, width := in.IDs.Size(0), in.IDs.Size(1)
	prompts := torch.Values[int64](in.IDs)
	var ids []int
	for i, answer := range answers {
		if len(answer) != tokens {
			return nil, errors.New("model: generate: an answer is shorter than asked for")
		}
		if m.Form().EncoderDecoder {
			ids = append(ids, m.Config().Text.Start)
		} else {
			for _, id := range prompts[i*width : (i+1)*width] {
				ids = append(ids, int(id))
			}
		}
		ids = append(ids, answer...)
	}
	return torch.FromInts(ids, in.IDs.Device(), rows, len(ids)/rows), nil
}

func free(tensors map[string]*torch.Tensor) {
	for _, t := range tensors {
		t.Free()
	}
}
