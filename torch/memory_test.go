package torch_test

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

const (
	passLayers = 24
	passWidth  = 1024 // 4 MiB a weight, 96 MiB in all
)

// importancePass prints by how many bytes one backward pass raises the peak of the resident memory.
func importancePass(fold bool) error {
	torch.SetNumThreads(1)
	return torch.Run(func(*torch.Scope) error {
		g := torch.NewGenerator(1)
		var weights []*torch.Tensor
		for range passLayers {
			w := g.Randn(passWidth, passWidth)
			w.CopyFrom(w.MulScalar(1 / 32.)).SetRequiresGrad(true)
			weights = append(weights, w)
			if fold {
				defer torch.AccumulateGrad(w, torch.FoldTaylorAbs).Close()
			}
		}
		x := g.Randn(8, passWidth)
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak starts again from here
			return err
		}
		before, err := statusBytes("VmRSS")
		if err != nil {
			return err
		}
		for _, w := range weights {
			x = x.Linear(w, nil)
		}
		x.Mul(x).Mean().Backward()
		for _, w := range weights {
			if (w.Grad() == nil) != fold {
				return fmt.Errorf("fold %v, but gradients kept %v", fold, !fold)
			}
		}
		peak, err := statusBytes("VmHWM")
		fmt.Println(peak - before)
		return err
	})
}

func statusBytes(key string) (int, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), key+":"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", key)
}

func extraPeak(t *testing.T, kind string) int {
	t.Helper()
	n, err := strconv.Atoi(inChild(t, kind))
	require.NoError(t, err)
	return n
}

func TestFoldingSavesMemory(t *testing.T) {
	torchtest.Setup(t)
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("NOT TESTED: this system does not let a process reset its peak memory:", err)
	}
	if sanitized() {
		t.Skip("NOT TESTED: a sanitizer holds on to freed memory")
	}
	const weights = passLayers * passWidth * passWidth * 4
	plain, folded := extraPeak(t, "importance pass"), extraPeak(t, "folded importance pass")
	t.Logf("extra peak of a backward over %d MiB of weights: %d MiB with gradients kept, %d MiB folded",
		weights>>20, plain>>20, folded>>20)
	require.Greater(t, plain, weights, "the plain pass must keep its gradients")
	require.GreaterOrEqual(t, plain-folded, weights*6/10)
}
