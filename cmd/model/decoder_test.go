package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// A decoder without towers is asked without pictures, one question or many, and is inspected as what it is.
func TestDecoderAnswersWithoutAPicture(t *testing.T) {
	torchtest.Setup(t)
	folder, _ := speaking(t, "decoder_opt")
	file := filepath.Join(t.TempDir(), "questions.jsonl")
	questions := []string{"what is this", "color", "is this thing blue"}
	var lines strings.Builder
	for _, q := range questions {
		lines.WriteString(`{"question": "` + q + `", "answer": "passed over"}` + "\n")
	}
	require.NoError(t, os.WriteFile(file, []byte(lines.String()), 0o644))
	together := answersOf(t, "-m", folder, "-ask", file)
	require.Len(t, together, len(questions))
	for i, q := range questions {
		assert.Equal(t, q, together[i].Question)
		assert.Empty(t, together[i].Picture)
		alone := answersOf(t, "-m", folder, "-question", q, "-json")
		assert.Equal(t, together[i].IDs, alone[0].IDs)
	}

	status, out, faults := call("inspect", folder)
	require.Zero(t, status, faults)
	assert.Contains(t, out, ": OPT, ")
	assert.Contains(t, out, "no pictures")
	for want, args := range map[string][]string{
		"-image is given, and the network is a decoder": {"generate", "-m", folder, "-image", "x.png", "-question", "color"},
		"a decoder without towers is not exported":      {"export", "-m", folder, "-out", t.TempDir()},
	} {
		status, _, faults := call(args...)
		assert.NotZero(t, status)
		assert.Contains(t, faults, want)
	}
	require.NoError(t, os.WriteFile(file, []byte(`{"file_name": "x.png", "question": "color"}`), 0o644))
	status, _, faults = call("generate", "-m", folder, "-ask", file)
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, `questions.jsonl:1: "file_name" is given, and the network is a decoder`)

	seeing, _ := speaking(t, "blip2_opt")
	status, _, faults = call("generate", "-m", seeing, "-question", "color")
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, "-image is missing, and the network looks at pictures")
}
