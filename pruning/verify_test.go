package pruning_test

import (
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// batchOf gives the fixture's first pictures.
func batchOf(t *testing.T) func() (*model.Batch, error) {
	io := modeltest.RefTinyFile(t, "io")
	return func() (*model.Batch, error) { return modeltest.RefTinyBatch(t, io, 0, 2, false), nil }
}

// used are the tokens that a cut of the vocabulary must leave.
func used(t *testing.T) map[int]bool {
	out := map[int]bool{}
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		b, err := batchOf(t)()
		for _, ids := range []*torch.Tensor{b.IDs, b.Targets} {
			for _, id := range torch.Values[int64](ids) {
				out[int(id)] = true
			}
		}
		return err
	}))
	return out
}

func randomPlan(r *rand.Rand, n model.Network, pinned map[int]bool) pruning.Plan {
	plan := pruning.Plan{Keep: map[string][]int{}}
	for _, a := range n.Store().Axes() {
		if r.Float64() < .3 {
			continue
		}
		count := 1 + r.IntN(a.Units())
		keep := map[int]bool{}
		for _, u := range r.Perm(a.Units())[:count] {
			keep[u] = true
		}
		if a.Kind == nn.Vocabulary {
			for id := range pinned {
				keep[id] = true
			}
		}
		var units []int
		for u := range keep {
			units = append(units, u)
		}
		sort.Ints(units)
		plan.Keep[a.Name] = units
		if a.Each() < a.Units() { // each head loses others, and all as many
			plan.Keep[a.Name] = inHeads(r, a)
		}
	}
	return plan
}

// inHeads draws as many dimensions of each head.
func inHeads(r *rand.Rand, a *nn.Axis) []int {
	scores := make([]float64, a.Units())
	for i := range scores {
		scores[i] = r.Float64()
	}
	units, _ := pruning.Choose(a, scores, a.Multiple()*(1+r.IntN(a.Each())))
	return units
}

func TestSliceEqualsMaskOnRandomPlans(t *testing.T) {
	torchtest.Setup(t)
	m, pinned, r := modeltest.RefTiny(t), used(t), rand.New(rand.NewPCG(1, 2))
	batch := batchOf(t)
	cut := map[nn.Kind]int{}
	for i := range 220 {
		plan := randomPlan(r, m, pinned)
		after, err := pruning.Apply(m, plan)
		require.NoError(t, err, "plan %d", i)
		diff, err := pruning.Verify(m, after, plan, batch)
		require.NoError(t, err, "plan %d: %v", i, plan)
		assert.LessOrEqual(t, diff, pruning.Tolerance)
		after.Store().Free()
		for name, units := range plan.Keep {
			if a := m.Store().Axis(name); len(units) < a.Units() {
				cut[a.Kind]++
			}
		}
	}
	for _, k := range []nn.Kind{nn.Hidden, nn.Heads, nn.KeySize, nn.ValueSize, nn.FFN, nn.Blocks, nn.Queries, nn.Vocabulary} {
		assert.Greater(t, cut[k], 50, "plans that cut %s", k)
	}
}

// Who is done with the old network gets the same new one, and the old one's memory.
func TestApplyFreeingEqualsApply(t *testing.T) {
	torchtest.Setup(t)
	m, r := modeltest.RefTiny(t), rand.New(rand.NewPCG(1, 2))
	for range 5 {
		plan := randomPlan(r, m, used(t))
		want, err := pruning.Apply(m, plan)
		require.NoError(t, err)
		old, err := model.Convert(m, torch.Float32, torch.CPU)
		require.NoError(t, err)
		got, err := pruning.ApplyFreeing(old, plan)
		require.NoError(t, err)
		for name, v := range want.Store().Named() {
			assert.Equal(t, v.Raw(), got.Store().Param(name).T().Raw(), name)
		}
		for _, p := range old.Store().Params() {
			assert.Nil(t, p.Value, p.Name)
		}
		want.Store().Free()
		got.Store().Free()
	}
}

func TestKeepAllIsBitIdentical(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.RefTiny(t)
	plan := pruning.Plan{Keep: map[string][]int{}}
	for _, a := range m.Store().Axes() {
		for u := range a.Units() {
			plan.Keep[a.Name] = append(plan.Keep[a.Name], u)
		}
	}
	after, err := pruning.Apply(m, plan)
	require.NoError(t, err)
	defer after.Store().Free()
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		b, err := batchOf(t)()
		torch.NoGrad(func() { assert.Equal(t, m.Logits(b).Raw(), after.Logits(b).Raw()) })
		for name, v := range m.Store().Named() {
			assert.Equal(t, v.Raw(), after.Store().Param(name).T().Raw(), name)
		}
		return err
	}))
}

// Each member of each axis is left out of the declaration in turn: the cut must be refused and the member named.
func TestForgottenMemberIsRefused(t *testing.T) {
	torchtest.Setup(t)
	full, pinned := modeltest.RefTiny(t), used(t)
	batch := batchOf(t)
	tried := 0
	for _, a := range full.Store().Axes() {
		for _, member := range full.Store().Members(a) {
			tried++
			m, err := model.New(modeltest.RefTinyConfig(t), nn.Omission{Axis: a.Name, Param: member.Param.Name, Dim: member.Dim})
			require.NoError(t, err)
			require.NoError(t, m.Store().Fill(full.Store().Named()))
			plan := pruning.Plan{Keep: map[string][]int{a.Name: keepAbout(a, pinned)}}
			after, err := pruning.Apply(m, plan)
			if err == nil {
				_, err = pruning.Verify(m, after, plan, batch)
				after.Store().Free()
			}
			if assert.Error(t, err, "%s without %s", a.Name, member) {
				assert.Contains(t, err.Error(), member.Param.Name, "%s without %s", a.Name, member)
			}
		}
	}
	assert.Greater(t, tried, 200)
}

// keepAbout keeps half of the units, the used tokens among them.
func keepAbout(a *nn.Axis, pinned map[int]bool) []int {
	var units []int
	for u := range a.Units() {
		if u%a.Each()%2 == 1 || (a.Kind == nn.Vocabulary && pinned[u]) {
			units = append(units, u)
		}
	}
	return units
}

func TestVerifyFindsWrongWeights(t *testing.T) {
	torchtest.Setup(t)
	m := modeltest.RefTiny(t)
	plan := pruning.Plan{Keep: map[string][]int{"vision_model.hidden": {0, 3, 4, 5, 9, 11, 20, 31}}}
	after, err := pruning.Apply(m, plan)
	require.NoError(t, err)
	defer after.Store().Free()
	after.Store().Param("vision_model.post_layernorm.bias").T().Fill(.01)
	diff, err := pruning.Verify(m, after, plan, batchOf(t))
	var wrong *pruning.VerifyError
	require.ErrorAs(t, err, &wrong)
	assert.Greater(t, diff, pruning.Tolerance)
	assert.Equal(t, diff, wrong.Diff)
}
