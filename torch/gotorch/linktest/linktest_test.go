package linktest

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGotorch(t *testing.T) {
	const library = "../../../build/lib/libcgotorch.so"
	if _, err := os.Stat(library); err != nil {
		t.Skip("NOT TESTED: build/lib/libcgotorch.so is not there; make gotorch builds it")
	}
	for _, c := range []struct{ pkg, run, passes string }{
		{"espalier/torch/gotorch", ".", "TestBothFree"},
		{"espalier/pruning", "Gotorch", "TestGotorchSliceEqualsMask"},
		{"espalier/examples/gotorch", ".", "TestGotorchExample"},
	} {
		t.Run(c.pkg, func(t *testing.T) {
			cmd := exec.Command("go", "test", "-count=1", "-v", "-tags=cgotorch", "-run="+c.run, c.pkg)
			out, err := cmd.CombinedOutput()
			t.Logf("%s\n%s", cmd, out)
			require.NoError(t, err)
			require.Contains(t, string(out), "--- PASS: "+c.passes)
		})
	}
}
