package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"espalier/model/modeltest"
	"espalier/torch/torchtest"
)

// asWritten are the forms in which editors and shells of Windows write a text file.
var asWritten = map[string]func(text string) string{
	"a byte-order mark and CRLF": func(text string) string { return "\xef\xbb\xbf" + strings.ReplaceAll(text, "\n", "\r\n") },
	"UTF-16": func(text string) string {
		out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
		if err != nil {
			panic(err)
		}
		return out
	},
}

// textFiles are those of a folder and of the folders in it.
func textFiles(t *testing.T, folder string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Ext(path), ".json") {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// Every text file that a command reads may have a mark and any line ends: the answers are the same, and what is written has
// neither.
func TestTextFilesOfWindows(t *testing.T) {
	torchtest.Setup(t)
	for how, written := range asWritten {
		folder, questions := speaking(t, "instructblip_llama")
		require.NoError(t, os.WriteFile(filepath.Join(folder, "generation_config.json"), []byte("{\n\"num_beams\": 1\n}"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "tokenizer_config.json"), []byte("{\n\"eos_token\": \"<eos>\"\n}"), 0o600))
		want := answersOf(t, "-m", folder, "-ask", questions)
		files := append(textFiles(t, folder), questions)
		require.Len(t, files, 6)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, []byte(written(string(text))), 0o600))
		}
		assert.Equal(t, want, answersOf(t, "-m", folder, "-ask", questions), how)

		to := filepath.Join(t.TempDir(), "to")
		rules := filepath.Join(t.TempDir(), "rules.toml")
		require.NoError(t, os.WriteFile(rules, []byte(written("[[rule]]\nfrom = \"nothing\"\nto = \"nothing\"\n")), 0o600))
		for _, args := range [][]string{
			{"convert", "-out", to, "-names", rules, folder}, {"export", "-m", folder, "-out", to + "-exported"}, {"inspect", folder},
			{"random", "-config", filepath.Join(folder, "config.json"), "-tokenizer", folder, "-out", to + "-random"},
		} {
			status, _, faults := call(args...)
			require.Zero(t, status, "%s: %v: %s", how, args, faults)
		}
		for _, folder := range []string{to, to + "-exported", to + "-random"} {
			for _, file := range textFiles(t, folder) {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				assert.False(t, strings.HasPrefix(string(text), "\xef\xbb\xbf") || strings.HasPrefix(string(text), "\xff\xfe"), "%s: other programs read no mark", file)
			}
		}
		assert.Equal(t, want, answersOf(t, "-m", to, "-ask", questions), how)
	}
}

// Where git has not fetched a file, its pointer is named, whichever file it is.
func TestPointersOfGitLFSAreNamed(t *testing.T) {
	torchtest.Setup(t)
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	folder, questions := speaking(t, "blip2_opt")
	rules := filepath.Join(t.TempDir(), "rules.toml")
	require.NoError(t, os.WriteFile(rules, []byte(pointer), 0o600))
	for _, name := range []string{"model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", questions} {
		path := name
		if !filepath.IsAbs(name) {
			path = filepath.Join(folder, name)
		}
		was, err := os.ReadFile(path)
		require.NoError(t, os.WriteFile(path, []byte(pointer), 0o600))
		if name != "tokenizer_config.json" { // which this tokenizer does not read
			status, _, faults := call("generate", "-device", "cpu", "-m", folder, "-ask", questions)
			assert.Equal(t, 2, status, name)
			assert.Contains(t, faults, path+" is a Git LFS pointer, not the file: run git lfs pull", name)
		}
		if name != questions { // companions are read, not only copied
			status, _, faults := call("convert", "-out", filepath.Join(t.TempDir(), "to"), folder)
			assert.Equal(t, 2, status, name)
			assert.Contains(t, faults, "run git lfs pull", name)
		}
		if err != nil {
			require.NoError(t, os.Remove(path))
			continue
		}
		require.NoError(t, os.WriteFile(path, was, 0o600))
	}
	for _, args := range [][]string{
		{"convert", "-out", filepath.Join(t.TempDir(), "x.pt"), "-names", rules, modeltest.Folder("blip2_opt")},
		{"convert", "-out", filepath.Join(t.TempDir(), "x.pt"), rules},
		{"forward", "-device", "cpu", "-m", folder, "-in", rules, "-out", "x"},
	} {
		status, _, faults := call(args...)
		assert.Equal(t, 2, status)
		assert.Contains(t, faults, rules+" is a Git LFS pointer", args)
	}
}
