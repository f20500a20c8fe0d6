package nn_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/nn"
)

func TestDimensionsInsideHeads(t *testing.T) {
	var a, g *nn.Attention
	both := func(b *nn.Builder) {
		a = b.Attention(b.Axis("heads", nn.Heads, 2), "", 3)
		s := b.Sub("grouped")
		g = s.RotaryAttention(s.Axis("heads", nn.Heads, 4), 2, 4)
		b.Param("output", nn.Zeros, a.Output())
		s.Param("query", nn.Zeros, g.Query())
		s.Param("value", nn.Zeros, g.Value())
	}
	s := declare(t, both)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 5}, a.Output().Units(a.Values))
	assert.Equal(t, []int{0, 0, 0, 1, 1, 1}, a.Output().Units(a.Heads))
	assert.Equal(t, []int{4, 5}, a.Output().Keep(map[*nn.Axis][]int{a.Heads: {1}, a.Values: {0, 1, 4, 5}}))
	// Two query heads read each of two key heads, of two rotary pairs.
	assert.Equal(t, []int{0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3}, g.Query().Units(g.Keys))
	assert.Equal(t, []int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}, g.Query().Units(g.Heads))
	assert.Equal(t, []int{0, 1, 0, 1, 2, 3, 2, 3}, g.Key().Units(g.Keys))
	assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, g.Value().Units(g.Values))
	assert.NotContains(t, s.Structure().Axes, "key_size", "what is whole is not written")

	// Each head keeps its own; of heads that go nothing stays.
	cut := s.Cut(map[*nn.Axis][]int{a.Heads: {1}, a.Values: {0, 1, 4, 5}, g.Keys: {1, 2}})
	assert.Equal(t, map[string]int{"heads": 1, "value_size": 2, "grouped.heads": 4, "grouped.key_size": 1}, cut.Structure.Axes)
	assert.Equal(t, map[string][]int{"grouped.key_size": {1, 0}}, cut.Structure.Origins)
	again, err := nn.Declare(&cut.Structure, both)
	require.NoError(t, err)
	assert.Equal(t, []int{2}, again.Param("output").Shape())
	assert.Equal(t, []int{8}, again.Param("grouped.query").Shape())
	assert.Equal(t, []int{1, 0}, g.Keys.Origin)
	assert.Equal(t, cut.Structure, again.Structure())
	for name, wrong := range map[string][]int{"has 1 origins": {1}, "not ascending": {1, 2}} {
		cut.Structure.Origins["grouped.key_size"] = wrong
		_, err = nn.Declare(&cut.Structure, both)
		assert.ErrorContains(t, err, name)
	}
	cut.Structure.Origins = map[string][]int{"grouped.key_size": {1, 0}, "other": nil}
	_, err = nn.Declare(&cut.Structure, both)
	assert.ErrorContains(t, err, "origins of axis other")
}
