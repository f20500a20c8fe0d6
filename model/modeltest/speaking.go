package modeltest

import (
	"fmt"
	stdimage "image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/tokenizer"
)

// Speaking is a checkpoint folder of a family with words, and a file of questions about pictures beside it. It is in float64,
// where no rounding turns a choice.
func Speaking(t testing.TB, family string) (folder, questions string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), family)
	m := Double(t, Family(t, family))
	require.NoError(t, m.Save(folder))
	words, err := tokenizer.NewWordLevel(strings.Fields("<pad> <eos> what is the color of this round big small thing red blue green one two three"))
	require.NoError(t, err)
	require.NoError(t, words.SaveTo(folder))
	require.NoError(t, model.ClipPreprocessor(m.Config().Vision.Image).Save(folder))

	beside := t.TempDir()
	var lines strings.Builder
	asked := []string{"what is this", "color", "what is the color of the big round thing", "is this thing blue", "small green one"}
	for i := range 19 { // more than are asked together
		name := fmt.Sprintf("%d.png", i)
		picture := stdimage.NewRGBA(stdimage.Rect(0, 0, 30, 20))
		for at := range 600 {
			picture.Set(at%30, at/30, color.RGBA{uint8(13 * i), uint8(at * (i + 3)), uint8(at / 30 * 12), 255})
		}
		f, err := os.Create(filepath.Join(beside, name))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, picture))
		require.NoError(t, f.Close())
		fmt.Fprintf(&lines, "{\"file_name\": %q, \"question\": %q, \"answer\": \"passed over\"}\n", name, asked[i%len(asked)])
	}
	questions = filepath.Join(beside, "metadata.jsonl")
	require.NoError(t, os.WriteFile(questions, []byte(lines.String()), 0o644))
	return folder, questions
}
