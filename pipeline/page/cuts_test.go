package page

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pruning"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// keepOf keeps some units of every axis of a kind in a tower.
func keepOf(n model.Network, tower string, kind nn.Kind, units func(a *nn.Axis) []int) map[string][]int {
	keep := map[string][]int{}
	for _, a := range n.Store().Axes() {
		if a.Tower == tower && a.Kind == kind {
			keep[a.Name] = units(a)
		}
	}
	return keep
}

// The map follows the teacher's units through cuts that number blocks anew: of every family it has the sizes that the cut network has.
func TestMapOfEveryFamily(t *testing.T) {
	torchtest.Setup(t)
	for _, family := range slices.Concat(modeltest.Families, modeltest.Decoders) {
		t.Run(family, func(t *testing.T) {
			teacher := modeltest.Family(t, family)
			n := model.Network(teacher)
			var stages []made
			cut := func(stage string, keep map[string][]int) {
				require.NotEmpty(t, keep, stage)
				var err error
				n, err = pruning.Declare(n, pruning.Plan{Keep: keep})
				require.NoError(t, err)
				stages = append(stages, made{Stage: stage, Cuts: []cutMade{{Keep: keep}}})
			}
			half := func(a *nn.Axis) (out []int) { // the later half of each rank group, so that numbers change
				groups := a.Groups()
				for u := range a.Units() {
					if groups == nil && u >= a.Units()/2 || groups != nil && slices.Index(groups, groups[u]) < u {
						out = append(out, u)
					}
				}
				return out
			}
			cut("blocks", keepOf(n, "language", nn.Blocks, func(a *nn.Axis) []int { return []int{a.Units() - 1} }))
			cut("inner", keepOf(n, "language", nn.FFN, half))
			cut("hidden", keepOf(n, "language", nn.Hidden, half))
			cut("more", keepOf(n, "language", nn.Hidden, half))

			towers, err := mapOf(teacher, stages)
			require.NoError(t, err)
			i := slices.IndexFunc(towers, func(t tower) bool { return t.Name == "language" })
			require.GreaterOrEqual(t, i, 0)
			for _, s := range towers[i].Stacks {
				assert.Equal(t, 1, s.Kept)
				for j, b := range s.Blocks {
					if j+1 < len(s.Blocks) {
						assert.Equal(t, "blocks", b.CutIn)
						continue
					}
					assert.Empty(t, b.CutIn, "the last block stayed")
					ffn := slices.IndexFunc(b.Parts, func(s strip) bool { return strings.Contains(s.Name, "ffn") })
					require.GreaterOrEqual(t, ffn, 0, "%v", b.Parts)
					assert.Equal(t, b.Parts[ffn].Of/2, b.Parts[ffn].Kept)
				}
			}
			o := newOrigins(teacher)
			for _, s := range stages {
				require.NoError(t, o.cut(s.Stage, s.Cuts[0].Keep))
			}
			assert.Equal(t, n.Store().Structure(), o.n.Store().Structure())
			for _, a := range n.Store().Axes() {
				units := o.axes[a.Name].units
				if a.Kind == nn.KeySize || a.Kind == nn.ValueSize {
					continue // they go with their heads
				}
				assert.Len(t, units, a.Units(), a.Name)
				if a.Tower == "language" && a.Kind == nn.Hidden {
					all := teacher.Store().Axis(o.axes[a.Name].axis).Units()
					assert.Equal(t, all-1, units[len(units)-1], "the teacher's last units")
					assert.Equal(t, all-len(units), units[0])
				}
			}
		})
	}
}

// Few units have a cell each; of many several share one, and only a cell of which all stayed is full.
func TestStrips(t *testing.T) {
	s := stripOf("heads", []int{0, 2}, 3)
	assert.Equal(t, "2 of 3", s.Label())
	assert.Equal(t, []mark{{"M11 0h8v10h-8z", 0}, {"M1 0h8v10h-8zM21 0h8v10h-8z", 4}}, sorted(s.Marks))

	many := stripOf("FFN units", nil, 1280)
	assert.Empty(t, many.Marks)
	var kept []int
	for u := range 1280 {
		if u < 10 || u > 10 && u < 20 || u == 1279 {
			kept = append(kept, u)
		}
	}
	many = stripOf("FFN units", kept, 1280)
	assert.Equal(t, []mark{{"M1270 0h10v10h-10z", 1}, {"M10 0h10v10h-10z", 3}, {"M0 0h10v10h-10z", 4}}, sorted(many.Marks))
	whole := stripOf("width", kept[:10], 10)
	assert.Equal(t, 10, strings.Count(whole.Marks[0].Path, "M"))
}

func sorted(marks []mark) []mark {
	return slices.SortedFunc(slices.Values(marks), func(a, b mark) int { return a.Level - b.Level })
}
