package model_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// narrow keeps half of the dimensions of each head, others in each, and of the widths and heads what makes width = heads ×
// head size where a config must say so.
func narrow(m *model.Blip2) pruning.Plan {
	plan := pruning.Plan{Keep: map[string][]int{}}
	kept := map[string]int{} // heads × size of a tower
	for _, a := range m.Store().Axes() {
		if a.Kind != nn.KeySize && a.Kind != nn.ValueSize || a.Each() < 2 {
			continue
		}
		scores := make([]float64, a.Units())
		for u := range scores {
			scores[u] = float64((u*7 + u/a.Each()) % 5)
		}
		plan.Keep[a.Name], _ = pruning.Choose(a, scores, a.Each()/2*a.Multiple())
		if a.Kind == nn.ValueSize {
			kept[a.Tower] = len(plan.Keep[a.Name])
		}
	}
	for _, a := range m.Store().Axes() {
		if a.Kind == nn.Hidden && (a.Tower != "language" || m.Config().Text.ModelType == "opt") {
			for u := range min(a.Units(), kept[a.Tower]) {
				plan.Keep[a.Name] = append(plan.Keep[a.Name], u)
			}
		}
	}
	return plan
}

// A student whose heads were narrowed loads again as it was: with transformers' sizes and its scale where the config can say
// them, else as it is. LLaMA's cannot.
func TestNarrowHeadsAreSavedAndLoaded(t *testing.T) {
	for _, name := range []string{"blip2_opt", "blip2_t5", "blip2_llama", "instructblip_llama"} {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			m := modeltest.Family(t, name)
			cut, err := pruning.Apply(m, narrow(m))
			require.NoError(t, err)
			defer cut.Store().Free()
			student := modeltest.Double(t, cut)
			hub, err := cut.(*model.Blip2).HubConfig()
			if m.Config().Text.ModelType == "llama" {
				require.ErrorContains(t, err, "turns the pairs of a whole head")
			} else {
				require.NoError(t, err)
				assert.Equal(t, m.Config().Vision.HeadSize/2, hub.Vision.HeadSize)
				assert.Equal(t, hub.Vision.Hidden, hub.Vision.Heads*hub.Vision.HeadSize)
				assert.Equal(t, m.Config().Text.HeadSize/2, hub.Text.HeadSize)
			}
			folder := t.TempDir()
			require.NoError(t, student.Save(folder))
			again, err := model.Load(folder, torch.CPU)
			require.NoError(t, err)
			defer again.Store().Free()
			if hub != nil { // what transformers reckons from the head size is what the file's facts say
				c, err := model.LoadConfig(folder)
				require.NoError(t, err)
				c.Structure = nil
				plain, err := model.New(c)
				require.NoError(t, err)
				require.NoError(t, plain.Store().Fill(again.Store().Named()), "the config alone declares the same network")
				requireSameAnswers(t, again, plain)
			}
			requireSameAnswers(t, student, again)
		})
	}
}

// requireSameAnswers compares logits, and the answers with kept keys and values.
func requireSameAnswers(t *testing.T, a, b *model.Blip2) {
	torchtest.Run(t, func(*torch.Scope) {
		batch, err := modeltest.Ask(a)()
		require.NoError(t, err)
		torch.NoGrad(func() {
			torchtest.Within(t, a.Logits(batch.PicturesTo(torch.Float64)), b.Logits(batch.PicturesTo(torch.Float64)), torchtest.Alike, 0, "logits")
		})
	})
}
