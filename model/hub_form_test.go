package model_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A network whose table begins with position 0 takes transformers' form and computes the same bits, also after it was
// written and read.
func TestForHub(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io")
		_, err := m.HubConfig()
		require.ErrorContains(t, err, "position 0 stands in row 0 of the table")
		n, err := m.ForHub()
		require.NoError(t, err)
		defer n.Store().Free()
		c, err := n.(*model.Blip2).HubConfig()
		require.NoError(t, err)
		assert.Equal(t, m.Config().Text.Positions, c.Text.Positions, "as many positions as before")
		assert.Equal(t, m.Store().Count()+2*c.Text.Hidden, n.Store().Count())
		const table = "language_model.model.decoder.embed_positions.weight"
		wide := n.Store().Param(table).T()
		assert.Zero(t, wide.Slice(0, 0, 2).Abs().Sum().Item())
		assert.Equal(t, torch.Values[float32](m.Store().Param(table).T()), torch.Values[float32](wide.Slice(0, 2, wide.Size(0))))

		folder := t.TempDir()
		require.NoError(t, n.Save(folder))
		text, err := os.ReadFile(filepath.Join(folder, "config.json"))
		require.NoError(t, err)
		assert.NotContains(t, string(text), "position_offset")
		assert.Contains(t, string(text), `"image_token_index": 0`, "transformers looks the picture's place up in the vocabulary")
		again, err := model.Load(folder, torch.CPU)
		require.NoError(t, err)
		defer again.Store().Free()
		b := modeltest.RefTinyBatch(t, io, 0, 4, true)
		torch.NoGrad(func() {
			want := m.Logits(b)
			assert.Equal(t, torch.Values[float32](want), torch.Values[float32](n.Logits(b)))
			assert.Equal(t, torch.Values[float32](want), torch.Values[float32](again.Logits(b)))
		})
		o := model.GenerateOptions{MaxTokens: 4, Ends: []int{1}}
		want, err := m.Generate(b.Pictures, model.Prompts(prompts(io)), o)
		require.NoError(t, err)
		got, err := again.Generate(b.Pictures, model.Prompts(prompts(io)), o)
		require.NoError(t, err)
		assert.Equal(t, want, got)

		same, err := n.(*model.Blip2).ForHub()
		require.NoError(t, err)
		assert.Same(t, n, same, "nothing is to be done twice")
	})
}

// A declaration takes the form as well: it is looked at before anything is trained.
func TestForHubOfADeclaration(t *testing.T) {
	torchtest.Setup(t)
	m, err := model.New(modeltest.RefTinyConfig(t))
	require.NoError(t, err)
	n, err := m.ForHub()
	require.NoError(t, err)
	_, err = n.(*model.Blip2).HubConfig()
	assert.NoError(t, err)

	c := modeltest.RefTinyConfig(t)
	c.Text.Pad = -1
	m, err = model.New(c)
	require.NoError(t, err)
	n, err = m.ForHub()
	require.NoError(t, err)
	assert.Zero(t, *n.Config().ImageToken, "a place in the vocabulary, also where nothing pads")
}
