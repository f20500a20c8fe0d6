package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What an export cannot express of a teacher that is trained here is known when the file is read.
func TestExportIsRefusedWhenTheFileIsRead(t *testing.T) {
	text := small + "[export]\nformat = \"transformers\"\n"
	line := strings.Count(text, "\n")
	lines := faultsOf(t, text, "stage.hidden.keep={ language = 32 }")
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], fmt.Sprintf("run.toml:%d: export.format = \"transformers\": the student would not fit", line))
	assert.Contains(t, lines[0], "language model: 4 heads of size 32 make 128, the width is 32")
}
