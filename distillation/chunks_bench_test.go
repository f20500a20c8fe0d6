package distillation_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/torch"
)

// BenchmarkLossMemory tells how much memory the loss of 512 answer tokens over 32,000 words takes with its gradient, above the
// two networks' logits: in one go, and in chunks as Loss does it. Linux alone tells the peak.
func BenchmarkLossMemory(b *testing.B) {
	const rows, vocabulary = 512, 32000
	loss := distillation.Loss{KL: 1, Pair: 1}
	for _, side := range []struct {
		name string
		of   func(student, teacher, targets *torch.Tensor) *torch.Tensor
	}{
		{"whole", func(student, teacher, targets *torch.Tensor) *torch.Tensor {
			p, q := teacher.LogSoftmax(-1), student.LogSoftmax(-1)
			return p.Exp().Mul(p.Sub(q)).Sum(-1).Mean().Add(distillation.Pairwise(student, targets, 0, ""))
		}},
		{"chunks", func(student, teacher, targets *torch.Tensor) *torch.Tensor {
			return loss.Of(student, distillation.Logits(teacher), targets, nil)
		}},
	} {
		b.Run(side.name, func(b *testing.B) {
			require.NoError(b, torch.Run(func(*torch.Scope) error {
				g := torch.NewGenerator(1)
				student, teacher := g.Randn(rows, vocabulary).SetRequiresGrad(true), g.Randn(rows, vocabulary)
				targets := teacher.ArgMax(-1)
				torch.TrimMemory()
				if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak is the present now
					b.Skip(err)
				}
				before := status(b, "VmRSS:")
				for b.Loop() {
					require.NoError(b, torch.Run(func(*torch.Scope) error {
						side.of(student, teacher, targets).Backward()
						student.SetGrad(nil)
						return nil
					}))
				}
				b.ReportMetric(float64(status(b, "VmHWM:")-before)/1024, "peak-MiB")
				b.ReportMetric(float64(rows*vocabulary*4)/(1<<20), "logits-MiB")
				return nil
			}))
		})
	}
}

// status is a line of /proc/self/status, KiB.
func status(b *testing.B, key string) (kib int) {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, line, _ := strings.Cut(string(text), key)
	_, err = fmt.Sscan(line, &kib)
	require.NoError(b, err)
	return kib
}
