package config

import (
	"encoding/json"
	"fmt"
	"slices"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/fault"
)

// checkNetwork holds the stages and the export against the network that [teacher.train] describes: all of its sizes but the
// number of words stand in the file, and nothing here depends on that one.
func (c *Config) checkNetwork(t *table) {
	if c.Teacher.Train == nil || len(t.doc.faults) > 0 { // what follows from a wrong size is noise
		return
	}
	n, err := c.Teacher.Train.Declared(c.Data.Size)
	if err != nil {
		at := "teacher.train"
		if c.Teacher.Train.Config != "" {
			at = "teacher.train.config"
		}
		t.fault(at, "%v", err)
		return
	}
	defer n.Store().Free()
	faults := slices.DeleteFunc(c.Stages.keepFaults(n), func(f keepFault) bool { return f.key == "keep.vocabulary" }) // CheckKeep knows the words
	for _, f := range faults {
		t.doc.add(fmt.Sprintf("stage[%d].%s", f.stage, f.key), fmt.Sprintf("stage[%d] %q: %s: %s", f.stage, c.Stages[f.stage].Name, f.key, f.text))
	}
	if len(faults) > 0 || len(c.Targets) > 0 { // what stays is chosen so that it fits
		return
	}
	if _, err := c.Clone().FitExport(n); err != nil {
		t.doc.add("export.format", err.Error())
	}
}

// Declared is the network without values, and with no words but the special ones.
func (t *TrainConfig) Declared(pictureSize int) (model.Network, error) {
	tokens, err := tokenizer.BuildWordLevel(func(func(string) bool) {})
	if err != nil {
		return nil, err
	}
	c, err := t.ModelConfig(pictureSize, tokens)
	if err != nil {
		return nil, err
	}
	return model.New(c)
}

// ModelConfig is the configuration of the network to train. words are those of the data, which it reads where it has no tokenizer of
// its own.
func (t *TrainConfig) ModelConfig(pictureSize int, words tokenizer.Tokenizer) (*model.Config, error) {
	if t.Config != "" {
		return t.fromFile(pictureSize, words)
	}
	if !t.Towers {
		return t.decoder(words)
	}
	text, err := t.sized(pictureSize, words)
	if err != nil {
		return nil, err
	}
	c, err := model.ParseConfig(text)
	if err != nil {
		return nil, fault.Inputf("teacher.train: %w", err)
	}
	return c, nil
}

// sized is the config.json of a BLIP-2 with the sizes of the tables.
func (t *TrainConfig) sized(pictureSize int, tokens tokenizer.Tokenizer) ([]byte, error) {
	const eps = 1e-5
	v, q := t.Vision, t.QFormer
	return json.Marshal(map[string]any{
		"model_type": "blip-2", "num_query_tokens": q.Queries, "image_token_index": -1, "use_decoder_only_language_model": true,
		"vision_config": map[string]any{"model_type": "blip_2_vision_model", "hidden_size": v.Width, "intermediate_size": v.FFN,
			"num_hidden_layers": v.Layers, "num_attention_heads": v.Heads, "head_dim": v.HeadSize, "image_size": pictureSize,
			"patch_size": v.Patch, "hidden_act": "gelu", "layer_norm_eps": eps},
		"qformer_config": map[string]any{"model_type": "blip_2_qformer", "hidden_size": q.Width, "intermediate_size": q.FFN,
			"num_hidden_layers": q.Layers, "num_attention_heads": q.Heads, "head_dim": q.HeadSize, "encoder_hidden_size": v.Width,
			"cross_attention_frequency": q.CrossEvery, "hidden_act": "gelu", "layer_norm_eps": eps},
		"text_config": t.Language.keys(tokens),
	})
}
