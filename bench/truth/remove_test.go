package truth

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/pipeline/config"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A network without units computes what is left when they are cut, in float64, for every axis of every kind that is taken away.
// Where heads must stay alike, one dimension goes from each.
func TestMaskEqualsSlice(t *testing.T) {
	torchtest.Setup(t)
	for _, family := range []string{"blip2_opt", "blip2_llama", "instructblip_t5"} {
		n := modeltest.Double(t, modeltest.Family(t, family))
		kinds := map[string]bool{}
		for _, a := range config.AxesOf(Kinds, n) {
			if a.Units() < 2*a.Multiple() {
				continue
			}
			size := a.Units() / a.Multiple()
			var without, keep []int
			for u := range a.Units() {
				if u%size == (u/size+1)%size {
					without = append(without, u)
				} else {
					keep = append(keep, u)
				}
			}
			require.NoError(t, torch.Run(func(*torch.Scope) error {
				after, err := pruning.Apply(n, pruning.Plan{Keep: map[string][]int{a.Name: keep}})
				require.NoError(t, err)
				defer after.Store().Free()
				b, err := modeltest.Ask(n)()
				require.NoError(t, err)
				b = b.PicturesTo(torch.Float64)
				torch.NoGrad(func() {
					whole := n.Logits(b)
					mask(n, a.Name, without...)
					defer n.Store().SetGates(nil)
					masked, cut := n.Logits(b), after.Logits(b)
					largest := whole.Abs().AMax().Item()
					assert.LessOrEqual(t, masked.Sub(cut).Abs().AMax().Item(), 1e-9*largest, "%s: %s", family, a.Name)
					if masked.Sub(whole).Abs().AMax().Item() > 1e-7*largest { // what reads the question in the Q-Former's last block is read by nothing
						kinds[string(a.Kind)] = true
					}
				})
				return nil
			}))
		}
		assert.Len(t, kinds, len(Kinds), "%s: some units of each kind matter", family)
	}
}

// Each axis gives so many units, each once, and the draw depends on the seed.
func TestPick(t *testing.T) {
	torchtest.Setup(t)
	n := modeltest.RefTiny(t)
	byAxis := func(all []picked) map[string][]int {
		out := map[string][]int{}
		for _, p := range all {
			out[p.axis.Name] = append(out[p.axis.Name], p.unit)
		}
		return out
	}
	first := byAxis(pick(n, 5, 1))
	for name, units := range first {
		assert.Len(t, units, min(5, n.Store().Axis(name).Units()))
		assert.IsIncreasing(t, append([]int{-1}, units...))
		assert.Less(t, units[len(units)-1], n.Store().Axis(name).Units())
	}
	assert.Equal(t, first, byAxis(pick(n, 5, 1)))
	assert.NotEqual(t, first, byAxis(pick(n, 5, 2)))
}

// The losses of single pictures add up to that of all, and an answer counts as right when all of its tokens do.
func TestHear(t *testing.T) {
	torchtest.Setup(t)
	torchtest.Run(t, func(*torch.Scope) {
		logits := torch.NewGenerator(1).Randn(7, 5).To(torch.Float64)
		targets := logits.ArgMax(-1)
		ids := torch.Values[int64](targets)
		ids[3] = (ids[3] + 1) % 5 // the second picture's first answer ends wrong
		targets = torch.From(ids, torch.CPU, 7)
		right := torch.Values[bool](logits.ArgMax(-1).Eq(targets))
		var all []heard
		for _, p := range []struct {
			from    int
			answers []int
		}{{0, []int{2}}, {2, []int{2, 3}}, {7, nil}} {
			all = append(all, hear(logits, targets, right, p.from, p.answers))
		}
		assert.Equal(t, []int{2, 5, 0}, []int{all[0].tokens, all[1].tokens, all[2].tokens})
		q := mean(all, nil)
		assert.InDelta(t, 2./3, q.Accuracy, 1e-12)
		assert.InDelta(t, logits.CrossEntropy(targets).Item(), q.CrossEntropy, 1e-12)
		assert.Equal(t, mean(all[1:2], nil), mean(all, []int{0, 1, 1}))
	})
}
