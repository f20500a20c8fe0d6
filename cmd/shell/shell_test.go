package shell_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/cmd/shell"
	"espalier/pipeline/fault"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"a plain − line\n\twith a tab ✓": "a plain − line\n\twith a tab ✓",
		"\x1b]0;pwned\a.png":             `\x1b]0;pwned\a.png`,
		"over\rwritten":                  `over\rwritten`,
		"\u009b31m":                      `\u009b31m`,
		"photo\u202egnp.exe":             `photo\u202egnp.exe`,
		"\xff\xfe":                       `\xff\xfe`,
		"\x7f":                           `\u007f`,
	} {
		assert.Equal(t, want, shell.Escape(text))
		var out bytes.Buffer
		n, err := shell.Writer(&out).Write([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, len(text), n)
		assert.Equal(t, want, out.String())
	}
}

// Buffers cut letters in two.
func TestWriterJoinsLetters(t *testing.T) {
	const text = "größer – 图 🖼 \x1b\u202e\xff \xe2\x80 end\n"
	for size := 1; size < 6; size++ {
		var out bytes.Buffer
		w := shell.Writer(&out)
		for part := range slices.Chunk([]byte(text), size) {
			n, err := w.Write(part)
			require.NoError(t, err)
			assert.Equal(t, len(part), n)
		}
		assert.Equal(t, shell.Escape(text), out.String(), "%d bytes at a time", size)
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

	out.Reset()
	assert.Equal(t, shell.Fault, shell.Main("pipeline", &out, func() int {
		shell.Raise(nil)
		shell.Raise(errors.New("failed"))
		shell.Raise(fmt.Errorf("stage hidden: %w", &fault.Panic{Value: "elsewhere", Stack: []byte("its own stack")}))
		return 0
	}))
	assert.Regexp(t, `^pipeline: a fault of the program: elsewhere; its stack is in `, out.String())
	stack, err = os.ReadFile(regexp.MustCompile(`is in (\S+stack\.txt)`).FindStringSubmatch(out.String())[1])
	require.NoError(t, err)
	assert.Contains(t, string(stack), "its own stack")
	assert.Equal(t, 3, shell.Main("pipeline", &out, func() int { return 3 }))
}

// A reader that goes away is no fault; what else goes wrong is one.
func TestHeard(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	out := shell.Heard(w)
	for range 3 {
		n, err := out.Write([]byte("text"))
		require.NoError(t, err)
		assert.Equal(t, 4, n)
		r.Close()
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	_, err = shell.Heard(full).Write([]byte("text"))
	assert.ErrorContains(t, err, "no space left")
}
