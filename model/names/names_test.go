package names_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/model/names"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// lavis lists how LAVIS's modules call their parameters, read off their classes.
var lavis = regexp.MustCompile(`^(query_tokens` +
	`|visual_encoder\.(cls_token|pos_embed|patch_embed\.proj\.(weight|bias))` +
	`|visual_encoder\.blocks\.\d+\.((norm1|norm2|attn\.proj|mlp\.fc1|mlp\.fc2)\.(weight|bias)|attn\.(qkv\.weight|q_bias|v_bias))` +
	`|ln_vision\.(weight|bias)` +
	`|Qformer\.bert\.embeddings\.(LayerNorm\.(weight|bias)|(word|position)_embeddings\.weight)` +
	`|Qformer\.bert\.encoder\.layer\.\d+\.(attention|crossattention)\.(self\.(query|key|value)|output\.(dense|LayerNorm))\.(weight|bias)` +
	`|Qformer\.bert\.encoder\.layer\.\d+\.(intermediate|intermediate_query)\.dense\.(weight|bias)` +
	`|Qformer\.bert\.encoder\.layer\.\d+\.(output|output_query)\.(dense|LayerNorm)\.(weight|bias)` +
	`|(opt|t5|llm|llama)_proj\.(weight|bias)|(opt|t5|llm|llama)_model\..+)$`)

// Networks of transformers get LAVIS's names, all of them names that its modules have, and come back bit for bit; what has
// no place there, the bias of the keys in the visual encoder, comes back as zeros.
func TestThereAndBack(t *testing.T) {
	torchtest.Setup(t)
	for name, fixture := range map[string]string{"lavis-opt": "blip2_opt", "lavis-t5": "blip2_t5", "lavis-instruct-t5": "instructblip_t5"} {
		m, err := names.Open(name)
		require.NoError(t, err)
		ours, err := checkpoint.OpenFolder(modeltest.Folder(fixture))
		require.NoError(t, err)
		defer ours.Close()
		theirs, err := m.Reverse().Over(ours)
		require.NoError(t, err)
		for _, n := range theirs.Names() {
			assert.Regexp(t, lavis, n, name)
		}
		back, err := m.Over(theirs)
		require.NoError(t, err)
		require.Equal(t, ours.Names(), back.Names(), name)
		biases := 0
		for _, n := range ours.Names() {
			was, is := ours.Bytes(n), back.Bytes(n)
			if regexp.MustCompile(`vision_model.*qkv\.bias`).MatchString(n) {
				biases++
				third := len(was) / 3
				assert.Equal(t, was[:third], is[:third], n)
				assert.Equal(t, make([]byte, third), is[third:2*third], n)
				was, is = was[2*third:], is[2*third:]
			}
			assert.Equal(t, was, is, n)
		}
		assert.Positive(t, biases)
	}
}

// MiniGPT-4 comes in parts: EVA's file, LAVIS's Q-Former, a LLaMA folder, and its own projection.
func TestParts(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		one := func() *torch.Tensor { return torch.Zeros([]int{2}, torch.Float32, torch.CPU) }
		parts := checkpoint.Merge(
			checkpoint.Tensors{"cls_token": one(), "blocks.0.attn.q_bias": one(), "blocks.0.attn.v_bias": one(), "patch_embed.proj.bias": one()},
			checkpoint.Tensors{"query_tokens": one(), "Qformer.bert.embeddings.LayerNorm.bias": one(), "t5_proj.bias": one(), "Qformer.cls.predictions.bias": one(),
				"Qformer.bert.encoder.layer.3.crossattention.self.key.bias": one(), "ln_vision.bias": one()},
			checkpoint.Tensors{"model.layers.0.mlp.up_proj.weight": one(), "lm_head.weight": one()},
			checkpoint.Tensors{"llama_proj.weight": one()})
		m, err := names.Open("minigpt4")
		require.NoError(t, err)
		seen, err := m.Over(parts)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"vision_model.embeddings.class_embedding", "vision_model.encoder.layers.0.self_attn.qkv.bias",
			"vision_model.embeddings.patch_embedding.bias", "query_tokens", "qformer.layernorm.bias",
			"qformer.encoder.layer.3.crossattention.attention.key.bias", "vision_model.post_layernorm.bias",
			"language_model.model.layers.0.mlp.up_proj.weight", "language_model.lm_head.weight", "language_projection.weight"}, seen.Names())
	})
}

// Some OPTs were published without the "model." before their names; of T5 the decoder stands there by itself.
func TestDecodersOfLanguageModels(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		for name, want := range map[string]string{
			"lavis-opt": "language_model.model.decoder.embed_tokens.weight", "lavis-t5": "language_model.decoder.embed_tokens.weight",
			"lavis-instruct-t5": "language_model.decoder.embed_tokens.weight",
		} {
			m, err := names.Open(name)
			require.NoError(t, err)
			seen, err := m.Over(checkpoint.Tensors{"decoder.embed_tokens.weight": torch.Zeros([]int{2}, torch.Float32, torch.CPU)})
			require.NoError(t, err)
			assert.Equal(t, []string{want}, seen.Names(), name)
		}
	})
}

func TestOpen(t *testing.T) {
	for _, name := range names.Known() {
		_, err := names.Open(name)
		require.NoError(t, err, name)
	}
	_, err := names.Open("lavis")
	require.ErrorContains(t, err, "nor one of lavis-instruct-t5")
	path := filepath.Join(t.TempDir(), "own.toml")
	require.NoError(t, os.WriteFile(path, []byte("[[rule]]\nfrom = \"a\"\nto = \"b\""), 0o644))
	_, err = names.Open(path)
	require.NoError(t, err)
}
