package torch_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
)

// What needs a process of its own: the test binary calls itself with this variable set to one of the children's names.
const childVariable = "ESPALIER_TEST_CHILD"

var children = map[string]func() error{
	"library": func() error {
		fmt.Println(torch.CPUCapability(), torch.ShimPath())
		return nil
	},
	"exhausted":              exhausted,
	"importance pass":        func() error { return importancePass(false) },
	"folded importance pass": func() error { return importancePass(true) },
}

// sanitized tells whether the process runs under a sanitizer, which keeps freed memory and needs much address space.
func sanitized() bool { return raceDetector || strings.Contains(os.Getenv("LD_PRELOAD"), "san.so") }

func TestMain(m *testing.M) {
	name := os.Getenv(childVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := children[name](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// inChild is what the named child prints, in a process with further variables.
func inChild(t *testing.T, name string, variables ...string) string {
	t.Helper()
	require.Contains(t, children, name)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), variables...), childVariable+"="+name)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return strings.TrimSpace(string(out))
}
