package model_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/image"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// What a checkpoint's file may ask for is computed as transformers' processors compute it: sizes, crops, scales of every form
// in testdata/preprocessors/make.py. One level of 255 more or less in one pixel would be seen.
func TestPreprocessorsEqualTransformers(t *testing.T) {
	golden, err := checkpoint.OpenSafeTensors(filepath.Join("testdata", "preprocessors", "golden.safetensors"))
	require.NoError(t, err)
	defer golden.Close()
	require.Greater(t, len(golden.Names()), 40)
	for _, name := range golden.Names() {
		var about struct {
			Config        json.RawMessage
			Width, Height int
		}
		require.NoError(t, json.Unmarshal([]byte(golden.Metadata[name]), &about))
		folder := t.TempDir()
		write(t, folder, "preprocessor_config.json", string(about.Config))
		pre, err := model.LoadPreprocessor(folder)
		require.NoError(t, err, "%s", about.Config)
		rgb := image.New(about.Width, about.Height)
		for c := range 3 {
			for y := range rgb.Height {
				for x := range rgb.Width {
					rgb.Pix[(c*rgb.Height+y)*rgb.Width+x] = uint8(7*x + 13*y + 31*c + x*y*(c+1) + x/5*90)
				}
			}
		}
		pixels, err := pre.Picture(rgb)
		require.NoError(t, err)
		torchtest.Run(t, func(*torch.Scope) {
			want, err := golden.Load(name, torch.CPU)
			require.NoError(t, err)
			defer want.Free()
			got := pre.Pictures(pixels, torch.CPU).Reshape(3, pre.Size, pre.Size)
			gap := got.Sub(want).Abs().AMax().Item()
			assert.LessOrEqual(t, gap, 1e-6*max(1, want.Abs().AMax().Item()), "%s: %s", name, about.Config)
		})
	}
}
