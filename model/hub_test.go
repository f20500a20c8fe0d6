package model_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

var parityCases = flag.String("cases", "", "folder of cases made by bench/parity/cases.py")

func TestFixturesEqualTransformers(t *testing.T) {
	for _, name := range modeltest.Hub {
		t.Run(name, func(t *testing.T) { checkCase(t, modeltest.Folder(name)) })
	}
}

// TestCasesEqualTransformers is run by `make parity`, over networks that transformers has just made.
func TestCasesEqualTransformers(t *testing.T) {
	if *parityCases == "" {
		t.Skip("no -cases given: run make parity")
	}
	found, err := filepath.Glob(filepath.Join(*parityCases, "*", "io.safetensors"))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, io := range found {
		folder := filepath.Dir(io)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			if strings.HasSuffix(folder, "-scatter") { // transformers strews such queries over the wrong places
				_, err := model.Load(folder, torch.CPU)
				require.ErrorContains(t, err, "language_projection.weight has shape")
				return
			}
			checkCase(t, folder)
		})
	}
}

// hubCase is a checkpoint with transformers' inputs and outputs.
type hubCase struct {
	m      *model.Blip2
	io     map[string]*torch.Tensor
	in     model.Inputs
	folder string
}

// single tells whether the weights are float32: such a case has gradients too.
func (c hubCase) single() bool { return c.m.Store().Params()[0].T().DType() == torch.Float32 }

func openCase(t *testing.T, folder string) hubCase {
	t.Helper()
	m, err := model.Load(folder, torch.CPU)
	require.NoError(t, err)
	t.Cleanup(m.Store().Free)
	io, err := checkpoint.ReadSafeTensors(filepath.Join(folder, "io.safetensors"), torch.CPU)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, v := range io {
			v.Free()
		}
	})
	return hubCase{m: m, io: io, in: model.InputsOf(io), folder: folder}
}

func checkCase(t *testing.T, folder string) {
	torchtest.Run(t, func(*torch.Scope) {
		c := openCase(t, folder)
		t.Run("outputs", func(t *testing.T) { c.checkOutputs(t) })
		t.Run("gradients", func(t *testing.T) { c.checkGradients(t) })
		t.Run("greedy", func(t *testing.T) { c.checkGreedy(t) })
		t.Run("beams", func(t *testing.T) { c.checkBeams(t, folder) })
		t.Run("export", func(t *testing.T) { c.checkExport(t, folder) })
		t.Run("round trip", func(t *testing.T) { c.checkRoundTrip(t, folder) })
	})
}

func (c hubCase) checkOutputs(t *testing.T) {
	want := modeltest.ReadTruth(t, c.folder, "exact", "outputs")
	modeltest.InBoth(t, c.m, func(t *testing.T, m *model.Blip2) {
		for name, got := range c.outputs(t, m) {
			want.Check(t, name, got)
		}
	})
}

// outputs are those of a network, the logits of padding, which mean nothing, as zeros.
func (c hubCase) outputs(t *testing.T, m *model.Blip2) (named map[string]*torch.Tensor) {
	torch.NoGrad(func() {
		out, err := m.Forward(c.in)
		require.NoError(t, err)
		named = out.Named()
		named["logits"] = c.seen(named["logits"])
	})
	return named
}

func (c hubCase) seen(logits *torch.Tensor) *torch.Tensor {
	if c.m.Form().EncoderDecoder || c.in.Mask == nil {
		return logits
	}
	return logits.Mul(c.in.Mask.To(logits.DType()).Unsqueeze(-1))
}

// checkGradients runs the loss of the case backwards: the mean cross entropy over all labels.
func (c hubCase) checkGradients(t *testing.T) {
	if !c.single() {
		t.Skip("the case has no gradients")
	}
	outputs, want := modeltest.ReadTruth(t, c.folder, "exact", "outputs"), modeltest.ReadTruth(t, c.folder, "grads", "gradients")
	modeltest.InBoth(t, c.m, func(t *testing.T, m *model.Blip2) {
		got := backwards(t, m, func() *torch.Tensor {
			out, err := m.Forward(c.in)
			require.NoError(t, err)
			logits, labels := out.Logits, c.io["labels"]
			if !m.Form().EncoderDecoder {
				n, all := labels.Size(1), logits.Size(1)
				logits = logits.Slice(1, all-n-1, all-1)
			}
			loss := logits.Flatten(0, 1).CrossEntropy(labels.Flatten(0, 1))
			outputs.Check(t, "loss", loss.Reshape(1))
			return loss
		})
		for name := range want.Values {
			want.Check(t, name, got[name])
		}
	})
}

// checkGreedy compares tokens up to the first near tie; the fixtures have none.
func (c hubCase) checkGreedy(t *testing.T) {
	want := c.io["generate_answers"] // the new tokens alone
	if ids := c.io["generate_ids"]; want == nil && ids != nil {
		prompt := 1 // T5's ids begin with the start token
		if !c.m.Form().EncoderDecoder {
			prompt = c.in.IDs.Size(1)
		}
		want = ids.Slice(1, prompt, ids.Size(1))
	}
	if want == nil {
		t.Skip("the case has no generated ids")
	}
	n := want.Size(1)
	ids := torch.Values[int64](want.Contiguous())
	got, err := c.m.Continue(c.in, model.GenerateOptions{MaxTokens: n, MinTokens: n, Ends: c.m.Config().Text.Ends})
	require.NoError(t, err)
	var margins []float64
	if m := c.io["generate_margins"]; m != nil {
		margins = m.Floats()
	} else {
		truth := modeltest.ReadTruth(t, c.folder, "exact", "outputs")
		truth.Sure(t, truth.Values["generate_margins"].Floats())
	}
	for i := range got {
		for k := range n {
			if margins != nil && margins[i*n+k] < 1e-3 {
				break
			}
			require.Equal(t, int(ids[i*n+k]), got[i][k], "row %d, token %d", i, k)
		}
	}
}

// checkRoundTrip writes the network and compares every tensor's bytes.
func (c hubCase) checkRoundTrip(t *testing.T, folder string) {
	to := t.TempDir()
	require.NoError(t, c.m.Save(to))
	before, err := checkpoint.OpenFolder(folder)
	require.NoError(t, err)
	defer before.Close()
	after, err := checkpoint.OpenFolder(to)
	require.NoError(t, err)
	defer after.Close()
	require.Equal(t, before.Names(), after.Names())
	for _, name := range before.Names() {
		was, _ := before.Info(name)
		is, _ := after.Info(name)
		require.Equal(t, was, is)
		require.Equal(t, before.Bytes(name), after.Bytes(name), name)
	}
	data, err := os.ReadFile(filepath.Join(to, "config.json"))
	require.NoError(t, err)
	original, err := os.ReadFile(filepath.Join(folder, "config.json"))
	require.NoError(t, err)
	assert.JSONEq(t, string(original), withoutStructure(t, data))
	assert.False(t, strings.Contains(string(original), "espalier"))
	original, err = os.ReadFile(filepath.Join(folder, "generation_config.json"))
	if err == nil {
		data, err = os.ReadFile(filepath.Join(to, "generation_config.json"))
		require.NoError(t, err)
		assert.Equal(t, string(original), string(data))
	}
}

// withoutStructure is a config without this program's own key.
func withoutStructure(t *testing.T, data []byte) string {
	t.Helper()
	var c map[string]any
	require.NoError(t, json.Unmarshal(data, &c))
	require.Contains(t, c, "espalier")
	delete(c, "espalier")
	out, err := json.Marshal(c)
	require.NoError(t, err)
	return string(out)
}
