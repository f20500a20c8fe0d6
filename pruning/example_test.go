package pruning_test

import (
	"fmt"

	"espalier/model"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

// A cut in four steps: score the units, choose those that stay, slice, and prove that the small network computes what the whole one
// does with the other units masked.
func Example() {
	c, err := model.ParseConfig([]byte(`{"model_type": "opt", "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
		"word_embed_proj_dim": 16, "vocab_size": 32, "max_position_embeddings": 16}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	whole, err := model.New(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer whole.Store().Free()
	if err := whole.Store().Init(1, torch.CPU); err != nil {
		fmt.Println(err)
		return
	}
	blocks := whole.Store().Axis("model.decoder.layers")
	scores, err := pruning.Importance(whole, "last", []*nn.Axis{blocks}, pruning.Sample{})
	if err != nil {
		fmt.Println(err)
		return
	}
	stay, err := pruning.Choose(blocks, scores[blocks.Name], 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := pruning.Plan{Keep: map[string][]int{blocks.Name: stay}}
	small, err := pruning.Apply(whole, plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer small.Store().Free()
	diff, err := pruning.Verify(whole, small, plan, func() (*model.Batch, error) {
		question := model.Question{Prompt: []int{5, 6, 7}, Answer: []int{8, 2}}
		return whole.Form().Pack(model.NoPictures(1, torch.CPU), [][]model.Question{{question}}, torch.CPU)
	})
	fmt.Println(whole.Store().Count(), "→", small.Store().Count(), "parameters; equal:", diff < pruning.Tolerance, err)
	// Output: 4752 → 2792 parameters; equal: true <nil>
}
