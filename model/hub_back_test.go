package model_test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

var backFolder = flag.String("back", "", "folder for the checkpoints that bench/parity/back.py hands to transformers")

// beamSetting is an entry of a case's beams.json.
type beamSetting struct {
	Beams         int     `json:"num_beams"`
	LengthPenalty float64 `json:"length_penalty"`
	EarlyStopping bool    `json:"early_stopping"`
	MaxTokens     int     `json:"max_new_tokens"`
	EOS           int     `json:"eos_token_id"`
}

// checkBeams compares the hypotheses of rows whose search no rounding can turn.
func (c hubCase) checkBeams(t *testing.T, folder string) {
	data, err := os.ReadFile(filepath.Join(folder, "beams.json"))
	if err != nil {
		t.Skip("the case has no beams")
	}
	var settings []beamSetting
	require.NoError(t, json.Unmarshal(data, &settings))
	for k, s := range settings {
		name := string(rune('0' + k))
		want, stable := c.io["beam_ids_"+name], c.io["beam_stable_"+name]
		require.NotNil(t, want)
		got, err := c.m.Continue(c.in, model.GenerateOptions{MaxTokens: s.MaxTokens, Ends: []int{s.EOS}, Beams: s.Beams,
			LengthPenalty: s.LengthPenalty, EarlyStopping: s.EarlyStopping})
		require.NoError(t, err)
		ids, sure, seen := torch.Values[int64](want), torch.Values[bool](stable), torch.Values[int64](c.in.Mask)
		for i := range got {
			prompt := 1
			if !c.m.Form().EncoderDecoder {
				prompt = 0
				for _, there := range seen[i*c.in.IDs.Size(1) : (i+1)*c.in.IDs.Size(1)] {
					prompt += int(there)
				}
			}
			expected := []int{}
			for _, id := range ids[i*want.Size(1)+prompt : (i+1)*want.Size(1)] {
				if id < 0 || int(id) == s.EOS {
					break
				}
				expected = append(expected, int(id))
			}
			if sure[i] {
				assert.Equal(t, expected, append([]int{}, got[i]...), "setting %+v, row %d", s, i)
			}
		}
	}
}

// expressible is a plan that a family's config can say: widths are heads × head size, towers are cut alike, and the
// Q-Former keeps its first layers.
func expressible(m *model.Blip2) pruning.Plan {
	plan := pruning.Plan{Keep: map[string][]int{}}
	kept := map[string]int{} // heads of a tower
	keep := func(a *nn.Axis, n int) {
		for u := a.Units() - n; u < a.Units(); u++ { // the last units: positions matter
			plan.Keep[a.Name] = append(plan.Keep[a.Name], u)
		}
		if a.Kind == nn.Blocks {
			plan.Keep[a.Name] = plan.Keep[a.Name][:0]
			for u := range n {
				plan.Keep[a.Name] = append(plan.Keep[a.Name], u)
			}
		}
		if a.Multiple() > 1 { // the same number of each group
			plan.Keep[a.Name] = plan.Keep[a.Name][:0]
			group := a.Units() / a.Multiple()
			for u := range a.Units() {
				if u%group < n/a.Multiple() {
					plan.Keep[a.Name] = append(plan.Keep[a.Name], u)
				}
			}
		}
	}
	size := map[string]int{}
	for _, a := range m.Store().Axes() {
		switch a.Kind {
		case nn.Heads:
			n := max(1, a.Units()/2)
			n = max(a.Multiple(), n/a.Multiple()*a.Multiple())
			keep(a, n)
			kept[a.Tower], size[a.Tower] = n, a.Block()
		case nn.FFN:
			keep(a, max(1, a.Units()*2/3))
		case nn.Blocks:
			keep(a, max(1, a.Units()-1))
		case nn.Queries, nn.Embeddings:
			keep(a, a.Units())
		}
	}
	for _, a := range m.Store().Axes() {
		if a.Kind == nn.Hidden {
			n := kept[a.Tower] * size[a.Tower]
			if a.Tower == "language" && m.Config().Text.ModelType != "opt" {
				n = max(1, a.Units()*2/3/kept[a.Tower]) * kept[a.Tower]
			}
			keep(a, min(n, a.Units()))
		}
	}
	return plan
}

// checkExport cuts the network to sizes that the family's config can say, writes it, reads it again, and leaves it for
// transformers.
func (c hubCase) checkExport(t *testing.T, folder string) {
	torchtest.Run(t, func(*torch.Scope) {
		cut, err := pruning.Apply(c.m, expressible(c.m))
		require.NoError(t, err)
		defer cut.Store().Free()
		student := cut.(*model.Blip2)
		_, err = student.HubConfig()
		if strings.HasSuffix(folder, "-narrow") || strings.HasSuffix(folder, "-wide") {
			require.ErrorContains(t, err, "word_embed_proj_dim")
			return
		}
		require.NoError(t, err)
		to := t.TempDir()
		if *backFolder != "" && c.single() { // halves are rounded in other places
			to = filepath.Join(*backFolder, filepath.Base(folder))
			require.NoError(t, os.MkdirAll(to, 0o755))
		}
		require.NoError(t, student.Save(to))
		again, err := model.Load(to, torch.CPU)
		require.NoError(t, err)
		defer again.Store().Free()
		torch.NoGrad(func() {
			want, err := modeltest.Double(t, student).Forward(c.in)
			require.NoError(t, err)
			got, err := modeltest.Double(t, again).Forward(c.in)
			require.NoError(t, err)
			tolerance := torchtest.Alike
			if scaled := c.m.Config().Text.ScaleOutputs; scaled != nil && *scaled { // T5's scale is folded into a norm, and rounded there
				tolerance = torchtest.Tolerance(c.m.Store().Params()[0].T().DType())
			}
			torchtest.Within(t, want.Logits, got.Logits, tolerance, 0, "what was written")
			written, err := again.Forward(c.in)
			require.NoError(t, err)
			files := maps.Clone(written.Named())
			delete(files, "vision_pooler")
			for _, name := range []string{"pixel_values", "input_ids", "attention_mask", "qformer_input_ids", "qformer_attention_mask", "decoder_input_ids"} {
				if c.io[name] != nil {
					files[name] = c.io[name]
				}
			}
			require.NoError(t, checkpoint.WriteSafeTensors(filepath.Join(to, "forward.safetensors"), files, nil))
		})
	})
}
