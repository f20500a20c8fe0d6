package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// speaking is modeltest.Speaking, where this package's tests read shorter.
func speaking(t *testing.T, family string) (folder, questions string) {
	t.Helper()
	return modeltest.Speaking(t, family)
}

func answersOf(t *testing.T, args ...string) (found []answer) {
	t.Helper()
	status, out, faults := call(append([]string{"generate", "-device", "cpu", "-max-new-tokens", "7"}, args...)...)
	require.Zero(t, status, faults)
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var a answer
		require.NoError(t, json.Unmarshal([]byte(line), &a))
		found = append(found, a)
	}
	return found
}

// Questions asked together are answered as each alone is, and the exported file answers so what the network was fed.
func TestExportAnswersAsGenerate(t *testing.T) {
	for _, family := range []string{"blip2_opt", "blip2_t5", "instructblip_llama"} {
		t.Run(family, func(t *testing.T) {
			torchtest.Setup(t)
			folder, questions := speaking(t, family)
			fed, to := t.TempDir(), filepath.Join(t.TempDir(), "exported")
			want := answersOf(t, "-m", folder, "-ask", questions, "-inputs", fed)
			require.Len(t, want, 19)
			different := map[string]bool{}
			for _, a := range want[14:] {
				alone := answersOf(t, "-m", folder, "-image", filepath.Join(filepath.Dir(questions), a.Picture), "-question", a.Question, "-json")
				assert.Equal(t, a.IDs, alone[0].IDs, a.Picture)
				different[fmt.Sprint(a.IDs)] = true
			}
			require.Greater(t, len(different), 1, "the answers say something of the questions")
			require.Len(t, answersOf(t, "-m", folder, "-ask", questions, "-first", "3"), 3)

			status, out, faults := call("export", "-m", folder, "-out", to)
			require.Zero(t, status, faults)
			assert.Contains(t, out, "encode, prefill and step")
			file := filepath.Join(to, model.TorchScriptName)
			about := struct {
				Ends []int `json:"eos_token_ids"`
				Size int   `json:"image_size"`
			}{}
			data, err := torch.ExtraFile(file, model.TorchScriptAbout)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &about))
			for i, ids := range scriptAnswers(t, file, fed, about.Size, about.Ends, 7) {
				assert.Equal(t, want[i].IDs, ids, want[i].Picture)
			}
			for _, name := range []string{"config.json", "tokenizer.json", "preprocessor_config.json"} {
				assert.FileExists(t, filepath.Join(to, name))
			}

			status, _, faults = call("export", "-m", folder, "-out", to)
			assert.Equal(t, 2, status)
			assert.Contains(t, faults, "is there already")
			status, _, faults = call("export", "-m", folder, "-out", filepath.Join(to, "alone.pt"))
			assert.Zero(t, status, faults)
		})
	}
}

// scriptAnswers answers each row of what -inputs wrote, by the file's methods alone.
func scriptAnswers(t *testing.T, file, fed string, size int, ends []int, tokens int) (answers [][]int) {
	t.Helper()
	module, err := torch.LoadModule(file, torch.CPU)
	require.NoError(t, err)
	defer module.Close()
	pixels, err := os.ReadFile(filepath.Join(fed, pixelsName))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(fed, idsName))
	require.NoError(t, err)
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, pixels, len(rows)*3*size*size*4)
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		values := make([]float32, len(pixels)/4)
		require.NoError(t, binary.Read(bytes.NewReader(pixels), binary.LittleEndian, values))
		pictures := torch.From(values, torch.CPU, len(rows), 3, size, size)
		for i, row := range rows {
			prompt, instruction, read := strings.Cut(row, "|")
			inputs := torch.Operands(pictures.Narrow(0, i, 1))
			if read {
				inputs = append(inputs, idsAndMask(t, instruction)...)
			}
			out := module.Call("prefill", append(module.Call("encode", inputs...), idsAndMask(t, prompt)...)...)
			answer := []int{}
			for range tokens {
				token := out[0].Tensor.ArgMax(-1)
				id := int(torch.Values[int64](token)[0])
				if slices.Contains(ends, id) {
					break
				}
				answer = append(answer, id)
				out = module.Call("step", torch.Operand{Tensor: token}, out[1])
			}
			answers = append(answers, answer)
		}
		return nil
	}))
	return answers
}

func idsAndMask(t *testing.T, text string) []torch.Operand {
	t.Helper()
	var ids []int
	for _, s := range strings.Fields(text) {
		id, err := strconv.Atoi(s)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return torch.Operands(torch.FromInts(ids, torch.CPU, 1, len(ids)), torch.Ones([]int{1, len(ids)}, torch.Int64, torch.CPU))
}

func TestAskedFileFaults(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := speaking(t, "blip2_opt")
	beside := filepath.Dir(questions)
	for want, text := range map[string]string{
		":2: ":                               "{\"file_name\": \"0.png\", \"question\": \"color\"}\nnot JSON\n",
		`"question" is needed`:               "{\"file_name\": \"0.png\"}\n",
		`"file_name" is missing`:             "{\"question\": \"color\"}\n",
		"no question in it":                  "\n",
		"faulty.jsonl:1: image: cannot read": "{\"file_name\": \"missing.png\", \"question\": \"color\"}\n",
		"violet":                             "{\"file_name\": \"0.png\", \"question\": \"violet\"}\n",
	} {
		file := filepath.Join(beside, "faulty.jsonl")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		inputs := t.TempDir()
		status, out, faults := call("generate", "-m", folder, "-device", "cpu", "-ask", file, "-inputs", inputs)
		assert.Equal(t, 2, status, want)
		assert.Contains(t, faults, want)
		assert.Empty(t, out, want)
		left, err := os.ReadDir(inputs)
		require.NoError(t, err)
		assert.Empty(t, left, "half a file is none")
	}
}
