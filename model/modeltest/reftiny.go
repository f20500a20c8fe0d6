// Package modeltest holds small networks for tests: the fixtures of the PyTorch reference (testdata/ref_tiny), and
// randomly filled networks of any size.
package modeltest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
)

// Folder is that of a fixture, found from this file, for tests of any package: ref_tiny, or one of Hub.
func Folder(fixture string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "testdata", fixture)
}

// RefTinyFile reads one of the reference's files with its own names; the tensors live until they are freed.
func RefTinyFile(t testing.TB, name string) map[string]*torch.Tensor {
	t.Helper()
	return readFile(t, filepath.Join(Folder("ref_tiny"), name+".safetensors"))
}

// RefTinyTruth are the reference's outputs, under its names.
func RefTinyTruth(t testing.TB) Truth { return ReadTruth(t, Folder("ref_tiny"), "exact", "outputs") }

// RefTinyParameters are values of the reference's parameters (a file: grads or adamw_3_steps) under BLIP-2's names.
func RefTinyParameters(t testing.TB, file string) Truth {
	t.Helper()
	r, errors := ReadTruth(t, Folder("ref_tiny"), file, file), map[string]float64{}
	for name, e := range r.Errors {
		errors[rename(name)] = max(errors[rename(name)], e)
	}
	return newTruth(t, Rename(t, r.Values), errors)
}

// RefTinyConfig is the reference's toy size in BLIP-2's form.
func RefTinyConfig(t testing.TB) *model.Config {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Folder("ref_tiny"), "config.json"))
	require.NoError(t, err)
	var f struct{ Config map[string]int }
	require.NoError(t, json.Unmarshal(data, &f))
	c := f.Config
	config, err := model.ParseConfig([]byte(fmt.Sprintf(`{
		"model_type": "blip-2", "num_query_tokens": %d, "image_token_index": -1,
		"vision_config": {"hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d,
			"image_size": %d, "patch_size": %d, "hidden_act": "gelu", "layer_norm_eps": 1e-5},
		"qformer_config": {"hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d,
			"encoder_hidden_size": %d, "cross_attention_frequency": %d, "hidden_act": "gelu", "layer_norm_eps": 1e-5},
		"text_config": {"model_type": "opt", "vocab_size": %d, "hidden_size": %d, "ffn_dim": %d, "num_hidden_layers": %d,
			"num_attention_heads": %d, "max_position_embeddings": %d, "position_offset": 0, "activation_function": "relu",
			"pad_token_id": 0, "eos_token_id": 1}}`,
		c["queries"], c["v_dim"], c["v_ffn"], c["v_layers"], c["v_dim"]/c["head_dim"], c["size"], c["patch"],
		c["q_dim"], c["q_ffn"], c["q_layers"], c["q_dim"]/c["head_dim"], c["v_dim"], c["cross_every"],
		c["vocab"], c["l_dim"], c["l_ffn"], c["l_layers"], c["l_dim"]/c["head_dim"], c["max_pos"])))
	require.NoError(t, err)
	return config
}

// RefTiny is the reference's toy network with its weights.
func RefTiny(t testing.TB) *model.Blip2 {
	t.Helper()
	m, err := model.New(RefTinyConfig(t))
	require.NoError(t, err)
	require.NoError(t, m.Store().Fill(Rename(t, RefTinyFile(t, "model"))))
	t.Cleanup(m.Store().Free)
	return m
}

// Rename gives copies of the reference's tensors (weights, gradients, …) BLIP-2's names; the visual encoder's q, k and
// v are joined. The copies are freed when the test ends.
func Rename(t testing.TB, values map[string]*torch.Tensor) map[string]*torch.Tensor {
	t.Helper()
	out := map[string]*torch.Tensor{}
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		for name, v := range values {
			to := rename(name)
			switch {
			case to == "":
				continue
			case strings.HasPrefix(name, "vis.") && strings.Contains(name, ".att.k") || strings.HasPrefix(name, "vis.") && strings.Contains(name, ".att.v"):
				continue
			case strings.HasPrefix(name, "vis.") && strings.Contains(name, ".att.q"):
				part := func(x string) *torch.Tensor { return values[strings.Replace(name, ".att.q", ".att."+x, 1)] }
				v = torch.Cat(0, v, part("k"), part("v"))
			}
			if name == "cls" || name == "vpos" || name == "query" {
				v = v.Reshape(append([]int{1}, v.Shape()[len(v.Shape())-2:]...)...)
			}
			out[to] = v.Clone().Release()
		}
		return nil
	}))
	t.Cleanup(func() {
		for _, v := range out {
			v.Free()
		}
	})
	return out
}

var exact = map[string]string{
	"patch.weight": "vision_model.embeddings.patch_embedding.weight", "patch.bias": "vision_model.embeddings.patch_embedding.bias",
	"cls": "vision_model.embeddings.class_embedding", "vpos": "vision_model.embeddings.position_embedding",
	"vnorm.weight": "vision_model.post_layernorm.weight", "vnorm.bias": "vision_model.post_layernorm.bias",
	"query": "query_tokens", "qnorm.weight": "qformer.layernorm.weight", "qnorm.bias": "qformer.layernorm.bias",
	"proj.weight": "language_projection.weight", "proj.bias": "language_projection.bias",
	"emb.weight": "language_model.model.decoder.embed_tokens.weight", "lpos": "language_model.model.decoder.embed_positions.weight",
	"lnorm.weight": "language_model.model.decoder.final_layer_norm.weight", "lnorm.bias": "language_model.model.decoder.final_layer_norm.bias",
}

var layerParts = map[string]struct {
	prefix string
	parts  map[string]string
}{
	"vis": {"vision_model.encoder.layers", map[string]string{"att.q": "self_attn.qkv", "att.k": "self_attn.qkv", "att.v": "self_attn.qkv",
		"att.o": "self_attn.projection", "n1": "layer_norm1", "n2": "layer_norm2", "f1": "mlp.fc1", "f2": "mlp.fc2"}},
	"qf": {"qformer.encoder.layer", map[string]string{"att.q": "attention.attention.query", "att.k": "attention.attention.key",
		"att.v": "attention.attention.value", "att.o": "attention.output.dense", "n1": "attention.output.LayerNorm",
		"cross.q": "crossattention.attention.query", "cross.k": "crossattention.attention.key", "cross.v": "crossattention.attention.value",
		"cross.o": "crossattention.output.dense", "nc": "crossattention.output.LayerNorm", "f1": "intermediate_query.dense",
		"f2": "output_query.dense", "n2": "output_query.LayerNorm"}},
	"lm": {"language_model.model.decoder.layers", map[string]string{"att.q": "self_attn.q_proj", "att.k": "self_attn.k_proj",
		"att.v": "self_attn.v_proj", "att.o": "self_attn.out_proj", "n1": "self_attn_layer_norm", "n2": "final_layer_norm",
		"f1": "fc1", "f2": "fc2"}},
}

// rename turns "lm.0.att.q.weight" into BLIP-2's name; "" for what is no parameter.
func rename(name string) string {
	if to, ok := exact[name]; ok {
		return to
	}
	tower, rest, _ := strings.Cut(name, ".")
	l, ok := layerParts[tower]
	if !ok {
		return ""
	}
	number, rest, _ := strings.Cut(rest, ".")
	dot := strings.LastIndex(rest, ".")
	return fmt.Sprintf("%s.%s.%s%s", l.prefix, number, l.parts[rest[:dot]], rest[dot:])
}

// RefTinyBatch packs the fixture's four pictures, or those from … to, with their questions; the padded answers are
// scored in full when padded is set, as the reference does, or up to end-of-sequence. It belongs to the current scope.
func RefTinyBatch(t testing.TB, io map[string]*torch.Tensor, from, to int, padded bool) *model.Batch {
	t.Helper()
	pixels := torch.Values[uint8](io["images_u8"])
	questions, answers := torch.Values[int64](io["questions"]), torch.Values[int64](io["answers"])
	pictures := len(pixels) / (3 * 48 * 48)
	pixels = pixels[from*3*48*48 : to*3*48*48]
	asked, words, tokens := io["questions"].Size(1), io["questions"].Size(2), io["answers"].Size(2)
	var qs [][]model.Question
	for p := range pictures {
		var list []model.Question
		for s := range asked {
			q := model.Question{Prompt: toInts(questions[(p*asked+s)*words:][:words])}
			for _, id := range toInts(answers[(p*asked+s)*tokens:][:tokens]) {
				if id != 0 || padded {
					q.Answer = append(q.Answer, id)
				}
			}
			list = append(list, q)
		}
		qs = append(qs, list)
	}
	// In float64, where the reference's (x − 127.5) / 64 is exact; a network takes pictures in its own dtype.
	normal := torch.From(pixels, torch.CPU, to-from, 3, 48, 48).To(torch.Float64).AddScalar(-127.5).MulScalar(1. / 64)
	b, err := model.Form{}.Pack(normal, qs[from:to], torch.CPU)
	require.NoError(t, err)
	return b
}

func toInts(v []int64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}
