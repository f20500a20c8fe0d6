package distillation_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// What a teacher says anew to a batch has the bits of what was kept of it, whether that is logits or, of a large vocabulary,
// hidden states, and of a teacher in either half precision.
func TestHeardIsWhatIsKept(t *testing.T) {
	torchtest.Setup(t)
	for kind, vocabulary := range map[string]string{"logits": "60", "hidden": "400"} {
		for _, dtype := range []torch.DType{torch.Float32, torch.BFloat16} {
			teacher := talkative(t, vocabulary, dtype)
			folder := t.TempDir()
			require.NoError(t, torch.Run(func(*torch.Scope) error {
				b, err := teacher.Form().Pack(torch.NewGenerator(1).Randn(2, 3, 16, 16), [][]model.Question{
					{{Prompt: []int{5, 6}, Answer: []int{7, 2}}}, {{Prompt: []int{8}, Answer: []int{9, 10, 2}}, {Prompt: []int{5}, Answer: []int{11, 2}}}}, torch.CPU)
				if err != nil {
					return err
				}
				if err := distillation.WriteOutputs(folder, teacher, distillation.OutputForm{}, nil, distillation.Keep{}, nil, func(_ int, yield func(*model.Batch) error) error { return yield(b) }); err != nil {
					return err
				}
				o, err := distillation.OpenOutputs(folder, func() (func(*torch.Tensor) *torch.Tensor, error) { return teacher.Head, nil })
				if err != nil {
					return err
				}
				defer o.Close()
				index, err := os.ReadFile(filepath.Join(folder, "outputs.json"))
				require.NoError(t, err)
				assert.Contains(t, string(index), kind)
				kept, heard := o.Teacher([]int{0, 1}, torch.CPU).Logits(), distillation.Heard(teacher, b).Logits()
				assert.Equal(t, []int{7, teacher.Config().Text.Vocabulary}, heard.Shape())
				assert.Equal(t, torch.Values[float32](kept), torch.Values[float32](heard), "%s of a teacher in %v", kind, dtype)
				assert.False(t, heard.RequiresGrad())
				return nil
			}))
		}
	}
}

// talkative is a drawn network with a vocabulary of its own.
func talkative(t *testing.T, vocabulary string, dtype torch.DType) model.Network {
	t.Helper()
	c, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "num_query_tokens": 2, "image_token_index": -1,
		"vision_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 8},
		"qformer_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "encoder_hidden_size": 16},
		"text_config": {"model_type": "opt", "hidden_size": 24, "word_embed_proj_dim": 24, "ffn_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
			"max_position_embeddings": 20, "vocab_size": ` + vocabulary + `, "pad_token_id": 1, "eos_token_id": 2}}`))
	require.NoError(t, err)
	drawn, err := model.New(c)
	require.NoError(t, err)
	require.NoError(t, drawn.Store().Init(3, torch.CPU))
	defer drawn.Store().Free()
	n, err := model.Convert(drawn, dtype, torch.CPU)
	require.NoError(t, err)
	t.Cleanup(n.Store().Free)
	n.Store().SetRequiresGrad(true)
	return n
}
