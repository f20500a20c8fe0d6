package pruning

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// docs/criteria.md adds this criterion, from here to the next comment.

// norm is the Euclidean norm of all weights of a unit.
func norm(s *nn.Store, axes []*nn.Axis, _ source) (Scores, error) {
	scores := empty(axes)
	where := slicesOf(s, axes)
	err := torch.Run(func(*torch.Scope) error {
		for _, p := range s.Params() {
			for _, place := range where[p] {
				weights := p.T().Detach().To(torch.Float64)
				squares := weights.Mul(weights)
				others := []int{}
				for d := range p.Dims {
					if d != place.dim {
						others = append(others, d)
					}
				}
				if len(others) > 0 {
					squares = squares.Sum(others...)
				}
				place.add(scores, squares.Floats())
			}
		}
		return nil
	})
	for _, of := range scores {
		for unit, squares := range of {
			of[unit] = math.Sqrt(squares)
		}
	}
	return scores, err
}

// The lines that docs/criteria.md tells people to write are these, and do what it says.
func TestCriterionOfTheDocument(t *testing.T) {
	torchtest.Setup(t)
	own, err := os.ReadFile("added_test.go")
	require.NoError(t, err)
	document, err := os.ReadFile("../docs/criteria.md")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(own), "to the next comment.\n\n")
	code, _, _ = strings.Cut(code, "\n// The lines that")
	assert.Contains(t, string(document), "```go\n"+code+"```\n")

	criteria["norm"] = criterion{score: norm}
	defer delete(criteria, "norm")
	m := modeltest.RefTiny(t)
	ffn, blocks := m.Store().Axis("vision_model.encoder.layers.0.ffn"), m.Store().Axis("vision_model.encoder.layers")
	scores, err := Importance(m, "norm", []*nn.Axis{ffn, blocks}, Sample{})
	require.NoError(t, err)
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		square := func(name string) *torch.Tensor {
			w := m.Store().Param("vision_model.encoder.layers.0.mlp." + name).T().Detach().To(torch.Float64)
			return w.Mul(w)
		}
		want := square("fc1.weight").Sum(1).Add(square("fc1.bias")).Add(square("fc2.weight").Sum(0)).Floats()
		for unit, squares := range want {
			assert.InDelta(t, math.Sqrt(squares), scores[ffn.Name][unit], 1e-12)
		}
		block := 0.
		for _, p := range m.Store().Params() {
			if stack, unit := p.Layer(); stack == blocks && unit == 0 && !p.Buffer {
				w := p.T().Detach().To(torch.Float64)
				block += w.Mul(w).Sum().Item()
			}
		}
		assert.InDelta(t, math.Sqrt(block), scores[blocks.Name][0], 1e-9)
		return nil
	}))
	_, err = Importance(m, "norms", []*nn.Axis{ffn}, Sample{})
	assert.ErrorContains(t, err, `unknown criterion "norms"; there are activation, cosine, gradient, last, magnitude, norm, random`)
}
