package model_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/image"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

var parityPictures = flag.String("pictures", "", "folder made by bench/parity/images.py")

// TestPicturesEqualTransformers is run by `make parity`: pixel_values from the file on, of every kind of picture.
// In levels of 255, JPEG and WebP are off by four at most, and by half of one on average, all others by one at most.
func TestPicturesEqualTransformers(t *testing.T) {
	if *parityPictures == "" {
		t.Skip("no -pictures given: run make parity")
	}
	for _, size := range []string{"48", "224"} {
		all, err := checkpoint.ReadSafeTensors(filepath.Join(*parityPictures, "pixels-"+size+".safetensors"), torch.CPU)
		require.NoError(t, err)
		folder := t.TempDir()
		write(t, folder, "processor_config.json", `{"image_processor": {"size": {"height": `+size+`, "width": `+size+`}, "resample": 3}}`)
		pre, err := model.LoadPreprocessor(folder)
		require.NoError(t, err)
		compared := 0
		for name, want := range all {
			defer want.Free()
			if strings.HasPrefix(name, "direct/") {
				continue
			}
			compared++
			worst, mean := 1.001, 1.001
			if strings.HasSuffix(name, ".jpg") || strings.HasSuffix(name, ".webp") {
				worst, mean = 4.001, .5
			}
			rgb, err := image.Load(filepath.Join(*parityPictures, "images", name))
			require.NoError(t, err)
			torchtest.Run(t, func(*torch.Scope) {
				got := pre.Pictures(rgb.Resize(pre.Size, pre.Size).Pix, torch.CPU).Reshape(3, pre.Size, pre.Size)
				levels := torch.From([]float32{float32(255 * pre.Std[0]), float32(255 * pre.Std[1]), float32(255 * pre.Std[2])}, torch.CPU, 3, 1, 1)
				gap := got.Sub(want).Abs().Mul(levels)
				assert.LessOrEqual(t, gap.AMax().Item(), worst, "%s at %s", name, size)
				assert.LessOrEqual(t, gap.Mean().Item(), mean, "%s at %s, on average", name, size)
			})
		}
		require.Greater(t, compared, 100)
	}
}

func TestPreprocessorFiles(t *testing.T) {
	clip := model.ClipPreprocessor(224)
	const size = `"size": {"height": 224, "width": 224}`
	for name, c := range map[string]struct {
		file, text string
		want       model.Preprocessor
	}{
		"transformers 4":    {"preprocessor_config.json", `{` + size + `, "resample": 3, "do_resize": true, "do_convert_rgb": true}`, clip},
		"transformers 5":    {"processor_config.json", `{"image_processor": {` + size + `}, "num_query_tokens": 32}`, clip},
		"one number":        {"preprocessor_config.json", `{"size": 224}`, clip},
		"nothing said":      {"preprocessor_config.json", `{}`, model.ClipPreprocessor(384)},
		"not rescaled":      {"preprocessor_config.json", `{` + size + `, "do_rescale": false, "do_normalize": false}`, model.Preprocessor{Size: 224, Rescale: 1, Std: [3]float64{1, 1, 1}}},
		"values of its own": {"preprocessor_config.json", `{` + size + `, "rescale_factor": 0.5, "image_mean": [1, 2, 3], "image_std": [4, 5, 6]}`, model.Preprocessor{Size: 224, Rescale: .5, Mean: [3]float64{1, 2, 3}, Std: [3]float64{4, 5, 6}}},
	} {
		folder := t.TempDir()
		write(t, folder, c.file, c.text)
		got, err := model.LoadPreprocessor(folder)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, model.Preprocessor{Size: got.Size, Rescale: got.Rescale, Mean: got.Mean, Std: got.Std}, name)
		to := t.TempDir()
		require.NoError(t, got.Save(to))
		written, err := os.ReadFile(filepath.Join(to, c.file))
		require.NoError(t, err)
		assert.Equal(t, c.text, string(written), "as it was read")
	}
	for text, want := range map[string]string{
		`{"resample": 2}`:  "resample is 2 (bilinear), only bicubic",
		`{"resample": 99}`: "resample is 99 (unknown)",
		`{"image_processor_type": "ViTImageProcessor"}`:                    "resample is 2 (bilinear)", // by default
		`{"image_processor_type": "DonutImageProcessor"}`:                  `image_processor_type is "DonutImageProcessor"`,
		`{"do_resize": false}`:                                             "do_resize",
		`{"do_pad": true}`:                                                 "do_pad is true",
		`{"rescale_offset": true}`:                                         "rescale_offset (or offset) is true",
		`{"offset": true}`:                                                 "rescale_offset (or offset) is true",
		`{"size": {"shortest_edge": 224}}`:                                 "want a square",
		`{"size": {"height": 224, "width": 96}}`:                           "want a square",
		`{"size": {"longest_edge": 224}}`:                                  `size has the key "longest_edge"`,
		`{"size": {"height": 0, "width": 0}}`:                              "numbers from 1 to",
		`{"size": {"height": 1e9, "width": 1e9}}`:                          "numbers from 1 to",
		`{"size": 1000000000}`:                                             "numbers from 1 to",
		`{"size": -1}`:                                                     "numbers from 1 to",
		`{"size": "large"}`:                                                `size is "large"`,
		`{"size": {}}`:                                                     "numbers from 1 to",
		`{"do_center_crop": true}`:                                         "there is no crop_size",
		`{"do_center_crop": true, "crop_size": {"height": 9, "width": 8}}`: "crop_size is",
		`{"do_center_crop": true, "crop_size": 400}`:                       "crop_size 400 is more than is left",
		`{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 200}}`: "crop_size 224 is more than is left",
		`{"image_mean": [0.5, 0.5]}`: "image_mean is [0.5, 0.5]; give a number for each",
		`{"image_std": [0, 1, 1]}`:   "must not be zero",
		`[`:                          "ends too early",
	} {
		folder := t.TempDir()
		write(t, folder, "preprocessor_config.json", text)
		_, err := model.LoadPreprocessor(folder)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "preprocessor_config.json")
	}
	folder := t.TempDir()
	_, err := model.LoadPreprocessor(folder)
	require.ErrorIs(t, err, os.ErrNotExist)
	write(t, folder, "processor_config.json", `{"num_query_tokens": 32}`)
	_, err = model.LoadPreprocessor(folder)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "image_processor")
}

// Of both files that counts which transformers takes: processor_config.json, where it speaks of pictures.
func TestPreprocessorOfBothFiles(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "preprocessor_config.json", "\xef\xbb\xbf{\"size\": 28}\r\n")
	write(t, folder, "processor_config.json", `{"num_query_tokens": 32}`)
	old, err := model.LoadPreprocessor(folder)
	require.NoError(t, err)
	assert.Equal(t, 28, old.Size)
	write(t, folder, "processor_config.json", `{"image_processor": {"size": 56}}`)
	both, err := model.LoadPreprocessor(folder)
	require.NoError(t, err)
	assert.Equal(t, 56, both.Size)
	to := t.TempDir()
	require.NoError(t, both.Save(to))
	written, err := os.ReadFile(filepath.Join(to, "preprocessor_config.json"))
	require.NoError(t, err)
	assert.Equal(t, "{\"size\": 28}\r\n", string(written), "both are kept, without the mark")
	write(t, folder, "processor_config.json", `{`)
	_, err = model.LoadPreprocessor(folder)
	require.ErrorContains(t, err, "processor_config.json")
	write(t, folder, "processor_config.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
	_, err = model.LoadPreprocessor(folder)
	require.ErrorContains(t, err, "processor_config.json is a Git LFS pointer")
}

// A network gets pictures of its own size only.
func TestPreprocessorFor(t *testing.T) {
	folder, c := t.TempDir(), modeltest.FamilyConfig(t, "blip2_opt_wide")
	require.Equal(t, 24, c.Vision.Image)
	write(t, folder, "preprocessor_config.json", `{"size": 24}`)
	_, err := model.LoadPreprocessorFor(folder, c)
	require.NoError(t, err)
	write(t, folder, "preprocessor_config.json", `{"size": 24, "do_center_crop": true, "crop_size": 20}`)
	_, err = model.LoadPreprocessorFor(folder, c)
	require.EqualError(t, err, "model: "+folder+": the preprocessor makes pictures of 20 × 20, the network sees 24 × 24; correct preprocessor_config.json")
	write(t, folder, "processor_config.json", `{"image_processor": {"size": 56}}`)
	_, err = model.LoadPreprocessorFor(folder, c)
	require.ErrorContains(t, err, "makes pictures of 56 × 56, the network sees 24 × 24; correct processor_config.json")
}

// The longest picture that is resized before it is cropped has a limit; without it a forged one would take all memory.
func TestCropOfANarrowPicture(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "preprocessor_config.json", `{"image_processor_type": "CLIPImageProcessor"}`)
	pre, err := model.LoadPreprocessor(folder)
	require.NoError(t, err)
	require.True(t, pre.Crops())
	_, err = pre.Picture(image.New(1, 1<<20))
	require.ErrorContains(t, err, "make it less narrow")
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
}
