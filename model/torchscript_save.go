package model

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"espalier/torch/nn"
)

// TorchScriptName is the name of a TorchScript file beside a checkpoint's weights.
const TorchScriptName = "model.pt"

// TorchScriptAbout is the name of the file within a TorchScript file that says how to use it.
const TorchScriptAbout = "espalier.json"

// torchScriptAbout is what a program needs to know besides the methods: how pictures become pixel_values
// ((byte · rescale_factor − image_mean) / image_std at image_size × image_size), what frames
// a question, and where an answer ends.
type torchScriptAbout struct {
	Version   int               `json:"version"`
	ModelType string            `json:"model_type"`
	Language  string            `json:"language_model"`
	DType     string            `json:"dtype"` // of prefix, logits and the state's keys and values
	ImageSize int               `json:"image_size"`
	Rescale   float64           `json:"rescale_factor"`
	Mean      [3]float64        `json:"image_mean"`
	Std       [3]float64        `json:"image_std"`
	Queries   int               `json:"num_query_tokens"`
	Vocab     int               `json:"vocab_size"`
	EOS       int               `json:"eos_token_id"` // the first of the ends, for programs that know of one alone; -1 without any
	Ends      []int             `json:"eos_token_ids"`
	Prompt    string            `json:"prompt"`       // what a question becomes, at {question}; "" is the question alone
	Pad       int               `json:"pad_token_id"` // -1 where the config names none; what is masked may be any token
	Methods   map[string]string `json:"methods"`
}

// SaveTorchScript writes the module of [Blip2.TorchScript] and, within its file, what else a program must know. ends are
// the ids that end an answer.
func (m *Blip2) SaveTorchScript(file string, pre Preprocessor, ends []int) error {
	c := m.config
	if !c.Towers() {
		return errDecoderScript
	}
	if err := pre.fits(c); err != nil {
		return fmt.Errorf("model: %s: %w", file, err)
	}
	if pre.Crops() { // programs that read the file resize to a square
		return fmt.Errorf("model: %s: the preprocessor cuts out the middle of pictures (do_center_crop), for which %s has no key; set do_center_crop to false, with size as height and width", file, TorchScriptAbout)
	}
	about := torchScriptAbout{
		Version: 1, ModelType: c.ModelType, Language: c.Text.ModelType, DType: m.language.firstWeight().DType().String(),
		ImageSize: pre.Size, Rescale: pre.Rescale, Mean: pre.Mean, Std: pre.Std,
		Queries: m.qformer.queries.Units(), EOS: append(ends, -1)[0], Ends: append([]int{}, ends...), Prompt: c.Prompt, Pad: c.Text.Pad,
		Methods: map[string]string{
			"encode":  "(pixel_values float32 [B, 3, image_size, image_size]) -> prefix [B, num_query_tokens, width]",
			"prefill": "(prefix, input_ids int64 [B, T], attention_mask int64 [B, T]) -> (logits [B, vocab_size], state: List[Tensor])",
			"step":    "(token int64 [B], state: List[Tensor]) -> (logits [B, vocab_size], state: List[Tensor])",
		},
	}
	if c.Instruct() {
		about.Methods["encode"] = "(pixel_values float32 [B, 3, image_size, image_size], qformer_input_ids int64 [B, t], " +
			"qformer_attention_mask int64 [B, t]) -> prefix [B, num_query_tokens, width]"
	}
	for _, a := range m.store.Axes() {
		if a.Kind == nn.Vocabulary {
			about.Vocab = a.Units()
		}
	}
	text, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	module, err := m.TorchScript()
	if err != nil {
		return fmt.Errorf("model: %s: %w", filepath.Base(file), err)
	}
	defer module.Close()
	return module.Save(file, map[string]string{TorchScriptAbout: string(text) + "\n"})
}
