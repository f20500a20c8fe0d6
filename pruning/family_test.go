package pruning_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pruning"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// evened draws again, until heads that share keys stay alike in all groups.
func evened(r *rand.Rand, m model.Network, plan pruning.Plan) pruning.Plan {
	for _, a := range m.Store().Axes() {
		if plan.Keep[a.Name] == nil || a.Multiple() == 1 {
			continue
		}
		scores := make([]float64, a.Units())
		for i := range scores {
			scores[i] = r.Float64()
		}
		n := a.Multiple() * (1 + r.IntN(a.Units()/a.Multiple()))
		plan.Keep[a.Name], _ = pruning.Choose(a, scores, n)
	}
	return plan
}

func TestEveryFamilyVerifiesOnRandomPlans(t *testing.T) {
	for _, name := range slices.Concat(modeltest.Families, modeltest.Decoders) {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			m, r := modeltest.Family(t, name), rand.New(rand.NewPCG(3, 4))
			cut := map[nn.Kind]int{}
			for i := range 60 {
				plan := evened(r, m, randomPlan(r, m, modeltest.Asked()))
				after, err := pruning.Apply(m, plan)
				require.NoError(t, err, "plan %d", i)
				_, err = pruning.Verify(m, after, plan, modeltest.Ask(m))
				require.NoError(t, err, "plan %d: %v", i, plan)
				after.Store().Free()
				for axis, units := range plan.Keep {
					if a := m.Store().Axis(axis); len(units) < a.Units() {
						cut[a.Kind]++
					}
				}
			}
			for _, a := range m.Store().Axes() {
				assert.Greater(t, cut[a.Kind], 5, "plans that cut %s", a.Kind)
			}
		})
	}
}

// A cut network of any sizes is traced like a whole one.
func TestCutFamiliesRunAsTorchScript(t *testing.T) {
	for _, name := range modeltest.Families {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			m, r := modeltest.Family(t, name), rand.New(rand.NewPCG(5, 6))
			for range 4 {
				after, err := pruning.Apply(m, evened(r, m, randomPlan(r, m, modeltest.Asked())))
				require.NoError(t, err)
				modeltest.RequireTorchScript(t, after)
				after.Store().Free()
			}
		})
	}
}

// Each member of each axis of every family is left out of the declaration in turn.
func TestForgottenMembersOfFamiliesAreRefused(t *testing.T) {
	for _, name := range slices.Concat(modeltest.Families, modeltest.Decoders) {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			full := modeltest.Family(t, name)
			for _, a := range full.Store().Axes() {
				if a.Each() < 2 {
					continue
				}
				for _, member := range full.Store().Members(a) {
					m, err := model.New(full.Config(), nn.Omission{Axis: a.Name, Param: member.Param.Name, Dim: member.Dim})
					require.NoError(t, err)
					require.NoError(t, m.Store().Fill(full.Store().Named()))
					plan := pruning.Plan{Keep: map[string][]int{a.Name: keepAbout(a, modeltest.Asked())}}
					after, err := pruning.Apply(m, plan)
					if err == nil {
						_, err = pruning.Verify(m, after, plan, modeltest.Ask(m))
						after.Store().Free()
					}
					if assert.Error(t, err, "%s without %s", a.Name, member) {
						assert.Contains(t, err.Error(), member.Param.Name, "%s without %s", a.Name, member)
					}
				}
			}
		})
	}
}
