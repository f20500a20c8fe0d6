package shell_test

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/cmd/shell"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"a plain − line\n\twith a tab ✓": "a plain − line\n\twith a tab ✓",
		"\x1b]0;pwned\a.png":             `\x1b]0;pwned\a.png`,
		"over\rwritten":                  `over\rwritten`,
		"\u009b31m":                      `\u009b31m`,
		"photo\u202egnp.exe":             `photo\u202egnp.exe`,
		"\xff\xfe":                       `\xff\xfe`,
		"\x7f":                           `\x7f`,
	} {
		assert.Equal(t, want, shell.Escape(text))
		var out bytes.Buffer
		n, err := shell.Writer(&out).Write([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, len(text), n)
		assert.Equal(t, want, out.String())
	}
}

// A panic is a line, a file with its stack, and a status of its own.
func TestFaultsOfTheProgram(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	assert.Equal(t, shell.Fault, shell.Main("pipeline", &out, func() int { panic("index out of \x1b range") }))
	assert.Regexp(t, `^pipeline: a fault of the program: index out of \\x1b range; its stack is in .*stack.txt: please report it`, out.String())
	file := regexp.MustCompile(`is in (\S+stack\.txt)`).FindStringSubmatch(out.String())
	require.Len(t, file, 2)
	stack, err := os.ReadFile(file[1])
	require.NoError(t, err)
	assert.Contains(t, string(stack), "TestFaultsOfTheProgram")
	assert.Equal(t, 3, shell.Main("pipeline", &out, func() int { return 3 }))
}
