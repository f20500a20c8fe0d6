package config

import (
	"slices"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/fault"
)

// checkTowers makes [teacher.train] with language alone a decoder without towers, which has nothing to train beforehand.
func (t *TrainConfig) checkTowers(in *table) {
	given := func(key string) bool { _, there := in.in[key]; return there }
	if given("language") && !given("vision") && !given("qformer") && !given("towers") {
		t.Towers = false
		in.out["towers"] = false
	}
	if t.Towers {
		return
	}
	for _, key := range []string{"vision", "qformer"} {
		if given(key) {
			in.fault(key, "towers = false asks for a decoder alone: leave out one of the two")
		}
		delete(in.out, key)
	}
	if t.PretrainSteps > 0 && given("pretrain_steps") {
		in.fault("pretrain_steps", "a decoder alone has no vision tower and no Q-Former to train beforehand: leave it out")
	}
	t.PretrainSteps, in.out["pretrain_steps"] = 0, 0
}

// decoder is the configuration of a decoder alone.
func (t *TrainConfig) decoder(tokens tokenizer.Tokenizer) (*model.Config, error) {
	c, err := model.DecoderConfig(t.Language.keys(tokens))
	if err != nil {
		return nil, fault.Inputf("teacher.train: %w", err)
	}
	return c, nil
}

// keys are those of an OPT with these sizes. Position 0 stands in the first row of its table.
func (l LanguageConfig) keys(tokens tokenizer.Tokenizer) map[string]any {
	return map[string]any{"model_type": "opt", "vocab_size": tokens.Size(), "hidden_size": l.Width, "ffn_dim": l.FFN,
		"num_hidden_layers": l.Layers, "num_attention_heads": l.Heads, "head_dim": l.HeadSize, "word_embed_proj_dim": l.Width,
		"max_position_embeddings": l.Positions, "position_offset": 0, "activation_function": "relu",
		"pad_token_id": tokens.Pad(), "bos_token_id": tokens.EOS(), "eos_token_id": tokens.EOS()}
}

// decoderFaults are what a stage says of towers that a decoder alone does not have.
func decoderFaults(s *StageConfig, i int) (faults []keepFault) {
	const lacks = "the network is a decoder alone, which has none: leave it out"
	for _, tower := range []string{"vision", "qformer"} {
		if !s.Keep.Of(tower).Whole() {
			faults = append(faults, keepFault{i, "keep." + tower, lacks})
		}
	}
	if !s.Keep.Queries.Whole() {
		faults = append(faults, keepFault{i, "keep.queries", lacks})
	}
	if s.Distil.Steps > 0 && slices.Contains(s.Distil.Freeze, "language") {
		faults = append(faults, keepFault{i, "distil.freeze", "the network is a decoder alone: with language frozen the student would learn nothing; leave it out"})
	}
	return faults
}
