package network

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// Units that are left of the first network are told through several cuts.
func TestUnitsThroughCuts(t *testing.T) {
	torchtest.Setup(t)
	of := func(n model.Network) *Held { return New("", n, n, nil) }
	cut := func(before *Held, keep map[string][]int) *Held {
		axes := map[*nn.Axis][]int{}
		for name, units := range keep {
			axes[before.Declared().Store().Axis(name)] = units
		}
		n, err := before.Declared().Rebuild(before.Declared().Store().Cut(axes).Structure)
		require.NoError(t, err)
		return of(n).After(before, keep)
	}
	first := of(modeltest.Family(t, "blip2_opt"))
	assert.Nil(t, first.Units())
	blocks := cut(first, map[string][]int{"vision_model.encoder.layers": {1}})
	assert.Empty(t, blocks.Units(), "a block's name is another's after the cut")
	narrow := cut(blocks, map[string][]int{"vision_model.hidden": {1, 3, 4, 7, 8}})
	trained := of(narrow.Declared()).After(narrow, nil)
	last := cut(trained, map[string][]int{"vision_model.hidden": {0, 2, 4}, "qformer.queries": {1, 3}})
	assert.Equal(t, map[string][]int{"vision_model.hidden": {1, 4, 8}, "qformer.queries": {1, 3}}, last.Units())
	assert.Equal(t, map[string][]int{"vision_model.hidden": {1, 3, 4, 7, 8}}, narrow.Units(), "as before")
}
