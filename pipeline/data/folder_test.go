package data

import (
	"bytes"
	"fmt"
	stdimage "image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// folder writes a small data set: files by path; "#7" stands for a flat picture of level 7, at 2 × 2.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		var level int
		if n, _ := fmt.Sscanf(text, "#%d", &level); n == 1 {
			text = flat(t, uint8(level))
		}
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

func flat(t *testing.T, level uint8) string {
	t.Helper()
	img := stdimage.NewNRGBA(stdimage.Rect(0, 0, 2, 2))
	for y := range 2 {
		for x := range 2 {
			img.Set(x, y, color.NRGBA{level, level + 1, level + 2, 255})
		}
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, img))
	return out.String()
}

func line(file, question, answer string) string {
	return fmt.Sprintf(`{"file_name": %q, "question": %q, "answer": %q, "task": "t %s", "category": "c"}`+"\n", file, question, answer, question)
}

// small is a sound data set; tests break it.
func small() map[string]string {
	return map[string]string{
		"images/1.png":              "#10",
		"images/2.png":              "#20",
		"validation/3.png":          "#30",
		"test/4.png":                "#40",
		"train/metadata.jsonl":      line("../images/1.png", "which", "one") + line("../images/2.png", "which", "two") + line("../images/1.png", "odd", "yes"),
		"validation/metadata.jsonl": line("3.png", "which", "three"),
		"test/metadata.jsonl":       line("4.png", "which", "four"),
	}
}

func with(changes map[string]string) map[string]string {
	files := small()
	for name, text := range changes {
		if text == "" {
			delete(files, name)
		} else {
			files[name] = text
		}
	}
	return files
}

func TestOpenFolder(t *testing.T) {
	d, err := Open(Config{Root: folder(t, with(map[string]string{"ood/5.png": "#50", "ood/metadata.jsonl": line("5.png", "which", "five")})), Size: 2})
	require.NoError(t, err)
	assert.Equal(t, []int{2, 1, 1, 1}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len(), d.OOD.Len()})
	assert.Equal(t, []Question{
		{"which", []string{"one"}, "t which", "c"},
		{"odd", []string{"yes"}, "t odd", "c"},
	}, d.Train.Questions(0), "the lines of one picture are gathered")
	assert.Equal(t, []string{"t which", "t odd"}, d.Tasks)
	assert.Equal(t, []string{"c"}, d.Categories)
	assert.Equal(t, strings.Fields("<pad> <eos> <unk> which one odd yes two three"), d.Tokenizer.Words())
	pixels := make([]uint8, 12)
	require.NoError(t, d.Train.Pixels(1, pixels))
	assert.Equal(t, []uint8{20, 20, 20, 20, 21, 21, 21, 21, 22, 22, 22, 22}, pixels)
}

// What editors on Windows make of a metadata file holds the same rows.
func TestMetadataInOtherEncodings(t *testing.T) {
	plain := line("4.png", "which", "größer") + line("4.png", "odd", "yes")
	want, err := Open(Config{Root: folder(t, with(map[string]string{"test/metadata.jsonl": plain})), Size: 2})
	require.NoError(t, err)
	for name, encode := range map[string]func(string) string{
		"mark":                   func(s string) string { return "\ufeff" + s },
		"mark and Windows lines": func(s string) string { return "\ufeff" + strings.ReplaceAll(s, "\n", "\r\n") },
		"UTF-16":                 func(s string) string { return "\xff\xfe" + littleEndian(s) },
	} {
		d, err := Open(Config{Root: folder(t, with(map[string]string{"test/metadata.jsonl": encode(plain)})), Size: 2})
		require.NoError(t, err, name)
		assert.Equal(t, want.Hash(), d.Hash(), name)
	}
	_, err = Open(Config{Root: folder(t, with(map[string]string{"test/metadata.jsonl": littleEndian(plain)})), Size: 2})
	require.ErrorContains(t, err, "test/metadata.jsonl: the file holds zero bytes, as UTF-16 without its mark does; save it as UTF-8")
	assert.NotContains(t, err.Error(), "\n")
}

func littleEndian(s string) string {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

func TestFolderAtAnotherSize(t *testing.T) {
	d, err := Open(Config{Root: folder(t, small()), Size: 5})
	require.NoError(t, err)
	assert.Nil(t, d.OOD)
	assert.False(t, d.HeldOut)
	pixels := make([]uint8, 75)
	require.NoError(t, d.Test.Pixels(0, pixels))
	assert.Equal(t, bytes.Repeat([]byte{40}, 25), pixels[:25])
	assert.Equal(t, bytes.Repeat([]byte{42}, 25), pixels[50:])
}

func TestFolderLimits(t *testing.T) {
	d, err := Open(Config{Root: folder(t, small()), Size: 2, Train: 1, Test: 100})
	require.NoError(t, err)
	assert.Equal(t, []int{1, 1, 1}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
	assert.False(t, d.Tokenizer.Has("two"))
}

// A set beyond the memory budget gives the same pictures.
func TestFolderBeyondTheBudget(t *testing.T) {
	root := folder(t, small())
	d, err := Open(Config{Root: root, Size: 2, MemoryBudget: 4*12 - 1})
	require.NoError(t, err)
	assert.Nil(t, d.Train.album.pixels)
	pixels := make([]uint8, 12)
	require.NoError(t, d.Train.Pixels(1, pixels))
	assert.Equal(t, []uint8{20, 20, 20, 20, 21, 21, 21, 21, 22, 22, 22, 22}, pixels)

	require.NoError(t, os.Remove(filepath.Join(root, "images/2.png")))
	assert.ErrorContains(t, d.Train.Pixels(1, pixels), "metadata.jsonl:2: ")
}

func TestFolderFaults(t *testing.T) {
	for name, c := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"missing file":   {map[string]string{"images/2.png": ""}, "train/metadata.jsonl:2: there is no picture "},
		"broken picture": {map[string]string{"images/2.png": flat(t, 3)[:50]}, "train/metadata.jsonl:2: "},
		"no picture":     {map[string]string{"images/2.png": "text"}, "not a picture that this program reads"},
		"absolute":       {map[string]string{"test/metadata.jsonl": line("/4.png", "which", "four")}, `test/metadata.jsonl:1: file_name "/4.png" is absolute`},
		"folder":         {map[string]string{"test/metadata.jsonl": line("../images", "which", "four")}, "is a folder"},
		"no train":       {map[string]string{"train/metadata.jsonl": ""}, "train: the split train is missing; every data set needs train and test: train/metadata.jsonl, "},
		"no test":        {map[string]string{"test/metadata.jsonl": ""}, "test: the split test is missing"},
		"empty":          {map[string]string{"test/metadata.jsonl": "\n"}, "test/metadata.jsonl: holds no rows"},
		"renamed":        {map[string]string{"validation/metadata.jsonl": "", "val/metadata.jsonl": line("3.png", "which", "three")}, "val/metadata.jsonl: this split has a name that is not read; rename val to validation"},
		"answer":         {map[string]string{"test/metadata.jsonl": `{"file_name": "4.png", "question": "which"}`}, `test/metadata.jsonl:1: no "answer"; add one`},
		"malformed":      {map[string]string{"validation/metadata.jsonl": "{"}, "validation/metadata.jsonl:1: malformed JSON"},
	} {
		for _, budget := range []int64{0, 1} {
			t.Run(fmt.Sprintf("%s, budget %d", name, budget), func(t *testing.T) {
				_, err := Open(Config{Root: folder(t, with(c.changes)), Size: 2, MemoryBudget: budget})
				require.ErrorContains(t, err, c.want)
				assert.NotContains(t, err.Error(), "\n")
			})
		}
	}
	_, err := Open(Config{Root: "/nowhere", Size: 2})
	assert.ErrorContains(t, err, "/nowhere: there is no such folder or file")
}

func TestSeveralFaultsAreToldAtOnce(t *testing.T) {
	_, err := Open(Config{Root: folder(t, with(map[string]string{"images/2.png": "", "test/metadata.jsonl": "{"})), Size: 2})
	require.Error(t, err)
	assert.Len(t, strings.Split(err.Error(), "\n"), 2)
}

func TestValidationIsSplitOff(t *testing.T) {
	files := with(map[string]string{"validation/metadata.jsonl": ""})
	var lines []string
	for i := range 40 {
		files[fmt.Sprintf("train/%d.png", i)] = fmt.Sprintf("#%d", i)
		lines = append(lines, line(fmt.Sprintf("%d.png", i), "which", "one"))
	}
	files["train/left open.png"] = "#90"
	unlabelled := `{"file_name": "left open.png", "question": "which"}` + "\n"
	files["train/metadata.jsonl"] = strings.Join(lines, "") + unlabelled
	d, err := Open(Config{Root: folder(t, files), Size: 2})
	require.NoError(t, err)
	assert.Equal(t, []int{39, 2}, []int{d.Train.Len(), d.Validation.Len()})
	assert.Equal(t, "validation", d.Validation.Name)
	assert.True(t, d.HeldOut)

	names := func(s *Split) (out []string) {
		for _, p := range s.album.source.(*filePictures).shown {
			out = append(out, filepath.Base(p.picture.String()))
		}
		return out
	}
	assert.NotSubset(t, names(d.Train), names(d.Validation))
	assert.Contains(t, names(d.Train), "left open.png", "what has no answer cannot validate")

	lines[0], lines[30] = lines[30], lines[0]
	files["train/metadata.jsonl"] = strings.Join(lines, "")
	again, err := Open(Config{Root: folder(t, files), Size: 2})
	require.NoError(t, err)
	assert.ElementsMatch(t, names(d.Validation), names(again.Validation), "the order of the lines does not matter")

	files["train/metadata.jsonl"] = unlabelled + `{"file_name": "../images/2.png", "question": "which"}`
	_, err = Open(Config{Root: folder(t, files), Size: 2})
	assert.ErrorContains(t, err, "too few pictures with answers to set some aside; add one: validation/metadata.jsonl")
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "neither source nor root"},
		{Config{Source: "ads", Root: "x"}, "both source"},
		{Config{Source: "adds"}, `no built-in source "adds"`},
		{Config{Root: "x"}, "size 0"},
		{Config{Source: "ads", Size: -1}, "size -1"},
		{Config{Source: "ads", Size: 5000}, "at most 4096"},
		{Config{Source: "ads", Test: -1}, "-1 pictures"},
		{Config{Source: "ads", MemoryBudget: -1}, "-1 bytes"},
	} {
		_, err := Open(c.cfg)
		assert.ErrorContains(t, err, c.want)
	}
}
