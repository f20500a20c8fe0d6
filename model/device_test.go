package model_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// as is a copy of a network in a dtype on a device, for the length of a test.
func as(t *testing.T, m model.Network, d torch.DType, on torch.Device) model.Network {
	t.Helper()
	n, err := model.Convert(m, d, on)
	require.NoError(t, err)
	t.Cleanup(n.Store().Free)
	return n
}

// scoredAs gives a network's logits and gradients for the questions of modeltest.Ask.
func scoredAs(t *testing.T, n model.Network) (logits *torch.Tensor, gradients map[string]*torch.Tensor) {
	t.Helper()
	b, err := modeltest.Ask(n)()
	require.NoError(t, err)
	n.Store().SetRequiresGrad(true)
	logits = n.Logits(b.PicturesTo(n.Store().Params()[0].T().DType()))
	logits.CrossEntropy(b.Targets).Backward()
	gradients = map[string]*torch.Tensor{}
	for _, p := range n.Store().Params() {
		if g := p.T().Grad(); g != nil {
			gradients[p.Name] = g
		}
	}
	return logits, gradients
}

// On every device a network gives the outputs and the gradients of the CPU: the same in float64, and in float32, for which
// a GPU has other kernels, as near as float32 comes on any.
func TestDevicesScoreAlike(t *testing.T) {
	for _, name := range modeltest.Families {
		t.Run(name, func(t *testing.T) {
			torchtest.Devices(t, func(t *testing.T, on torch.Device) {
				m := modeltest.Family(t, name)
				want, gradients := scoredAs(t, as(t, m, torch.Float64, torch.CPU))
				require.NotEmpty(t, gradients)
				largest := 0.
				for _, g := range gradients {
					largest = max(largest, g.Abs().AMax().Item())
				}
				exact := 1e-9
				if strings.HasSuffix(name, "llama") {
					exact = 1e-6 // the sines of its positions are float32, as transformers has them
				}
				for d, tolerance := range map[torch.DType]float64{torch.Float64: exact, torch.Float32: 2e-3} {
					got, found := scoredAs(t, as(t, m, d, on))
					require.Equal(t, on, got.Device())
					torchtest.Within(t, want, got, tolerance, 0, d)
					require.Len(t, found, len(gradients))
					for name, g := range found {
						torchtest.Within(t, gradients[name], g, tolerance, tolerance*largest, d, name)
					}
				}
			})
		})
	}
}

func TestDevicesAnswerAlike(t *testing.T) {
	for _, name := range modeltest.Families {
		t.Run(name, func(t *testing.T) {
			torchtest.Devices(t, func(t *testing.T, on torch.Device) {
				m := modeltest.Family(t, name)
				answers := func(on torch.Device, beams int) [][][]int {
					n := as(t, m, torch.Float64, on)
					side := m.Config().Vision.Image
					pictures := torch.NewGenerator(3).Randn(2, 3, side, side).To(torch.Float64).ToDevice(on)
					questions := [][]model.Question{
						{{Prompt: []int{11, 12, 13}, Instruction: []int{5, 7}}, {Prompt: []int{16}, Instruction: []int{9}}},
						{{Prompt: []int{20, 21}, Instruction: []int{6, 8, 10}}},
					}
					ids, err := n.Generate(pictures, questions, model.GenerateOptions{MaxTokens: 6, MinTokens: 2, Ends: m.Config().Text.Ends, Beams: beams})
					require.NoError(t, err)
					return ids
				}
				for _, beams := range []int{1, 3} {
					require.Equal(t, answers(torch.CPU, beams), answers(on, beams), "%d beams", beams)
				}
			})
		})
	}
}
