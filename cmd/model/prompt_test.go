package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// change rewrites a checkpoint's config.json.
func change(t *testing.T, folder string, f func(c *model.Config, text map[string]any)) {
	t.Helper()
	file := filepath.Join(folder, "config.json")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	c, err := model.ParseConfig(data)
	require.NoError(t, err)
	text := map[string]any{}
	f(c, text)
	data, err = c.Marshal()
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(data, &all))
	for k, v := range text {
		all["text_config"].(map[string]any)[k] = v
	}
	data, err = json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o644))
}

// about is the espalier.json of an exported file.
func about(t *testing.T, file string) (out struct {
	EOS    int    `json:"eos_token_id"`
	Ends   []int  `json:"eos_token_ids"`
	Prompt string `json:"prompt"`
	Size   int    `json:"image_size"`
}) {
	t.Helper()
	data, err := torch.ExtraFile(file, model.TorchScriptAbout)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &out))
	return out
}

func idsOf(answers []answer) (out [][]int) {
	for _, a := range answers {
		out = append(out, a.IDs)
	}
	return out
}

// A checkpoint's own prompt frames questions unless another is given, and an exported file names it.
func TestPromptOfTheCheckpoint(t *testing.T) {
	torchtest.Setup(t)
	const prompt = "what is {question} of this"
	folder, questions := speaking(t, "blip2_opt")
	alone := idsOf(answersOf(t, "-m", folder, "-ask", questions))
	framed := idsOf(answersOf(t, "-m", folder, "-ask", questions, "-prompt", prompt))
	require.NotEqual(t, alone, framed, "the prompt matters")

	plain := t.TempDir()
	require.NoError(t, os.CopyFS(plain, os.DirFS(folder)))
	change(t, folder, func(c *model.Config, _ map[string]any) { c.Prompt = prompt })
	assert.Equal(t, framed, idsOf(answersOf(t, "-m", folder, "-ask", questions)))
	assert.Equal(t, alone, idsOf(answersOf(t, "-m", folder, "-ask", questions, "-prompt", "{question}")))

	to := filepath.Join(t.TempDir(), "exported")
	status, _, faults := call("export", "-m", folder, "-out", to)
	require.Zero(t, status, faults)
	assert.Equal(t, prompt, about(t, filepath.Join(to, model.TorchScriptName)).Prompt)
	c, err := model.LoadConfig(to)
	require.NoError(t, err)
	assert.Equal(t, prompt, c.Prompt)

	inputs := filepath.Join(modeltest.Folder("blip2_opt"), "io.safetensors")
	status, out, faults := call("compare", "-in", inputs, "-device", "cpu", plain, folder)
	require.Zero(t, status, faults)
	assert.Contains(t, out, fmt.Sprintf("the prompts differ: %q and %q", "", prompt))
}

// An answer ends at any id of a list, here and in the exported file.
func TestListOfEnds(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := speaking(t, "blip2_opt")
	fed := t.TempDir()
	whole := idsOf(answersOf(t, "-m", folder, "-ask", questions, "-inputs", fed))
	longest := slices.MaxFunc(whole, func(a, b []int) int { return len(a) - len(b) })
	end := longest[len(longest)-1]
	change(t, folder, func(_ *model.Config, text map[string]any) { text["eos_token_id"] = []int{1, end} })
	got := idsOf(answersOf(t, "-m", folder, "-ask", questions))
	shorter := 0
	for i, ids := range whole {
		want := []int{}
		for _, id := range ids {
			if id == end {
				shorter++
				break
			}
			want = append(want, id)
		}
		assert.Equal(t, want, got[i])
	}
	require.NotZero(t, shorter)

	file := filepath.Join(t.TempDir(), "alone.pt")
	status, _, faults := call("export", "-m", folder, "-out", file)
	require.Zero(t, status, faults)
	said := about(t, file)
	assert.Equal(t, []int{1, end}, said.Ends)
	assert.Equal(t, 1, said.EOS)
	assert.Equal(t, got, scriptAnswers(t, file, fed, said.Size, said.Ends, 7))
}

// A place for the picture within a question is refused with its line, before anything is answered.
func TestPlaceholderInAQuestion(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := speaking(t, "blip2_opt")
	data, err := os.ReadFile(questions)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(data), "\n")
	lines[17] = strings.Replace(lines[17], `"question": "`, `"question": "<image>\n`, 1)
	require.NoError(t, os.WriteFile(questions, []byte(strings.Join(lines, "")), 0o644))
	status, out, faults := call("generate", "-m", folder, "-device", "cpu", "-ask", questions)
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, questions+":18: question")
	assert.Contains(t, faults, "<image>")
	assert.Empty(t, out)
	picture := filepath.Join(filepath.Dir(questions), "0.png")
	status, _, faults = call("generate", "-m", folder, "-device", "cpu", "-image", picture, "-question", "<image> color")
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, "take it out")
}

func TestBoundsOfGenerate(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := speaking(t, "blip2_opt")
	for want, args := range map[string][]string{
		"give 1 for a greedy answer": {"-num-beams", "0"},
		"give at most 64":            {"-num-beams", "65"},
		"-max-new-tokens 1000":       {"-max-new-tokens", "1000"},
		"has no {question}":          {"-prompt", "what"},
	} {
		status, out, faults := call(append([]string{"generate", "-m", folder, "-device", "cpu", "-ask", questions, "-first", "1"}, args...)...)
		assert.Equal(t, 2, status)
		assert.Contains(t, faults, want)
		assert.Empty(t, out)
	}
}

// A checkpoint without a tokenizer, whose config names no end, is exported all the same.
func TestExportWithoutWordsAndEnds(t *testing.T) {
	torchtest.Setup(t)
	folder, _ := speaking(t, "blip2_opt")
	require.NoError(t, os.Remove(filepath.Join(folder, "tokenizer.json")))
	change(t, folder, func(_ *model.Config, text map[string]any) { text["eos_token_id"] = nil })
	file := filepath.Join(t.TempDir(), "alone.pt")
	status, _, faults := call("export", "-m", folder, "-out", file)
	require.Zero(t, status, faults)
	said := about(t, file)
	assert.Equal(t, -1, said.EOS)
	assert.Equal(t, []int{}, said.Ends)
}
