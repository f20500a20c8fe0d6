package model

// tellDerived adds to a config as it is written the keys of its language model that follow from others where they are left out, once
// they no longer do: a cut changes the width or a stack and not the head size or the other stack.
func (c *Config) tellDerived(out map[string]any) {
	table, _ := out["text_config"].(map[string]any)
	t := &c.Text
	tell := func(key string, value int, follows bool) {
		if table[key] == nil && !follows {
			table[key] = value
		}
	}
	switch t.ModelType {
	case "llama":
		tell("head_dim", t.HeadSize, t.Hidden == t.Heads*t.HeadSize)
	case "t5":
		tell("num_decoder_layers", t.DecoderLayers, t.DecoderLayers == t.Layers)
	}
}
