package speaker

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/image"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// Questions asked together get what each gets alone, with log-probabilities or without; these tell which answers came to their end.
func TestAsk(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := modeltest.Speaking(t, "blip2_opt")
	s, err := Load(folder, "", torch.CPU)
	require.NoError(t, err)
	defer s.Free()
	var pixels []byte
	var asked []model.Question
	for _, text := range []string{"what is this", "color", "small green one"} {
		rgb, err := image.Load(filepath.Join(filepath.Dir(questions), []string{"3.png", "4.png", "5.png"}[len(asked)]))
		require.NoError(t, err)
		picture, err := s.Sight.Picture(rgb)
		require.NoError(t, err)
		q, err := s.Words.Question(text)
		require.NoError(t, err)
		pixels, asked = append(pixels, picture...), append(asked, q)
	}
	each := len(pixels) / len(asked)
	together, err := s.Ask(pixels, asked, model.GenerateOptions{MaxTokens: s.MostTokens(), LogProbs: new([][][]float64)})
	require.NoError(t, err)
	for i, a := range together {
		alone, err := s.Ask(pixels[i*each:(i+1)*each], asked[i:i+1], model.GenerateOptions{MaxTokens: s.MostTokens()})
		require.NoError(t, err)
		assert.Equal(t, alone[0].IDs, a.IDs)
		assert.Nil(t, alone[0].LogProbs)
		assert.Equal(t, len(a.IDs) < s.MostTokens(), a.Ended())
		assert.Len(t, a.LogProbs, min(len(a.IDs)+1, s.MostTokens()))
	}
	raw, err := s.Normalised(pixels)
	require.NoError(t, err)
	assert.Len(t, raw, 4*len(pixels))
	assert.Equal(t, 4, s.PictureTokens())
}

func TestWithoutTowers(t *testing.T) {
	torchtest.Setup(t)
	blind, _ := modeltest.Speaking(t, "decoder_llama")
	s, err := Load(blind, "{question} now", torch.CPU)
	require.NoError(t, err)
	defer s.Free()
	assert.False(t, s.Sees())
	assert.Zero(t, s.PictureTokens())
	assert.Equal(t, UsualTokens, s.MostTokens(), "LLaMA has positions without end")
	assert.NoError(t, s.CheckPicture("-image", false))
	assert.ErrorContains(t, s.CheckPicture("-image", true), "-image is given, and the network is a decoder")
	q, err := s.Words.Question("color")
	assert.ErrorContains(t, err, "now", "the template frames the question: %v", q)
	raw, err := s.Normalised(nil)
	require.NoError(t, err)
	assert.Empty(t, raw)

	_, err = Load(blind, "no place", torch.CPU)
	assert.ErrorContains(t, err, "{question}")
	_, err = Load(t.TempDir(), "", torch.CPU)
	assert.ErrorContains(t, err, "config.json")
}
