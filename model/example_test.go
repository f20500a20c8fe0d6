package model_test

import (
	"fmt"

	"espalier/model"
	"espalier/torch/nn"
)

// A config.json of transformers declares a network. What a cut leaves is declared again in the same way, so a network has its sizes before it has
// any weights.
func ExampleParseConfig() {
	c, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "num_query_tokens": 4,
		"vision_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16, "patch_size": 8},
		"qformer_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "encoder_hidden_size": 16},
		"text_config": {"model_type": "opt", "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "word_embed_proj_dim": 16,
			"vocab_size": 64, "max_position_embeddings": 32}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := model.New(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Family(), c.Class(), n.Store().Count())
	for _, a := range n.Store().Axes() {
		if a.Kind == nn.Blocks || a.Kind == nn.Queries {
			fmt.Println(a.Name, a.Units())
		}
	}
	// Output:
	// BLIP-2 with OPT Blip2ForConditionalGeneration 19648
	// vision_model.encoder.layers 2
	// qformer.queries 4
	// qformer.encoder.layer 2
	// language_model.model.decoder.layers 2
}
