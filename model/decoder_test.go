package model_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// A decoder alone computes and says what transformers' does, and is saved as it was read.
func TestDecodersEqualTransformers(t *testing.T) {
	for _, name := range modeltest.Decoders {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				folder := modeltest.Folder(name)
				m := modeltest.Family(t, name)
				assert.False(t, m.Config().Towers())
				io, err := checkpoint.ReadSafeTensors(filepath.Join(folder, "io.safetensors"), torch.CPU)
				require.NoError(t, err)
				in := model.InputsOf(io)
				double := modeltest.Double(t, m)
				var out model.Outputs
				torch.NoGrad(func() { out, err = double.Forward(in) })
				require.NoError(t, err)
				assert.Len(t, out.Named(), 1)
				seen := in.Mask.To(torch.Float64).Unsqueeze(-1)
				torchtest.Same(t, io["logits"].Mul(seen), out.Logits.Mul(seen))

				want := torch.Values[int64](io["generate_ids"])
				steps := io["generate_ids"].Size(1)
				got, err := m.Continue(in, model.GenerateOptions{MaxTokens: steps, MinTokens: steps, Ends: m.Config().Text.Ends})
				require.NoError(t, err)
				ids := torch.Values[int64](in.IDs)
				var prompts [][]int
				for row, skip := range []int{0, 2} { // row 1 is padded
					var prompt, answer []int
					for _, id := range ids[row*6+skip : (row+1)*6] {
						prompt = append(prompt, int(id))
					}
					for _, id := range want[row*steps : (row+1)*steps] {
						answer = append(answer, int(id))
					}
					prompts = append(prompts, prompt)
					assert.Equal(t, answer, got[row])
				}
				// The same questions side by side in one row, and in rows of their own.
				o := model.GenerateOptions{MaxTokens: steps, MinTokens: steps, Ends: m.Config().Text.Ends}
				packed, err := m.Generate(model.NoPictures(1, torch.CPU), model.Prompts([][][]int{prompts}), o)
				require.NoError(t, err)
				assert.Equal(t, got, packed[0])
				apart, err := m.Generate(model.NoPictures(2, torch.CPU), model.Prompts([][][]int{{prompts[0]}, {prompts[1]}}), o)
				require.NoError(t, err)
				assert.Equal(t, got, [][]int{apart[0][0], apart[1][0]})

				_, err = m.Forward(model.Inputs{Pictures: torch.Zeros([]int{2, 3, 8, 8}, torch.Float32, torch.CPU), IDs: in.IDs})
				assert.ErrorContains(t, err, "the network sees no pictures")
				_, err = m.TorchScript()
				assert.ErrorContains(t, err, "is not exported as TorchScript")

				again := t.TempDir()
				require.NoError(t, m.Save(again))
				var was, is map[string]any
				for from, into := range map[string]*map[string]any{folder: &was, again: &is} {
					text, err := os.ReadFile(filepath.Join(from, "config.json"))
					require.NoError(t, err)
					require.NoError(t, json.Unmarshal(text, into))
				}
				require.NotNil(t, is["espalier"])
				delete(is, "espalier")
				assert.Equal(t, was, is)
				saved, err := model.Load(again, torch.CPU)
				require.NoError(t, err)
				defer saved.Store().Free()
				for i, p := range m.Store().Params() {
					assert.Equal(t, p.Name, saved.Store().Params()[i].Name)
					assert.Equal(t, p.T().Raw(), saved.Store().Params()[i].T().Raw())
				}
			})
		})
	}
}

// A vocabulary is cut in the flat form of the config too.
func TestTokensOfADecoderAreKept(t *testing.T) {
	c := modeltest.FamilyConfig(t, "decoder_opt")
	assert.Equal(t, []int{1, 2}, c.TokenIDs())
	require.NoError(t, c.KeepTokens([]int{1, 2, 7, 9}))
	assert.False(t, c.Towers())
	assert.Equal(t, []int{0, 1, 1}, []int{c.Text.Pad, c.Text.EOS, c.Text.BOS})
	_, err := model.ParseConfig([]byte(`{"model_type": "gpt2"}`))
	assert.ErrorContains(t, err, "text_config.model_type is missing")
	_, err = model.ParseConfig([]byte(`{"model_type": "opt", "num_hidden_layers": 100000}`))
	assert.ErrorContains(t, err, "the number of layers is 100000")
}
