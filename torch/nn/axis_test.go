package nn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// declare runs f as a network's declaration.
func declare(t *testing.T, f func(b *nn.Builder)) *nn.Store {
	t.Helper()
	s, err := nn.Declare(nil, f)
	require.NoError(t, err)
	return s
}

func TestDimUnits(t *testing.T) {
	var heads, kv, group *nn.Axis
	declare(t, func(b *nn.Builder) {
		heads = b.Axis("heads", nn.Heads, 2).Blocks(2)
		kv, group = b.Axis("kv", nn.Heads, 2), b.Axis("group", nn.Heads, 3)
	})
	assert.Equal(t, []int{0, 0, 1, 1}, heads.Dim().Units(heads))
	assert.Equal(t, []int{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}, heads.Times(3).Units(heads))
	// A grouped-query projection: queries by kv and group, then keys, each head two elements wide.
	fused := nn.Cat(nn.Mul(kv, group, 2), nn.Mul(kv, 2), nn.Fixed(1))
	assert.Equal(t, 12+4+1, fused.Size())
	assert.Equal(t, []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, -1}, fused.Units(kv))
	assert.Equal(t, []int{0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, -1, -1, -1, -1, -1}, fused.Units(group))
	assert.Equal(t, []int{6, 7, 10, 11, 14, 15, 16}, fused.Keep(map[*nn.Axis][]int{kv: {1}, group: {0, 2}}))
	assert.Nil(t, fused.Keep(map[*nn.Axis][]int{heads: {0}}), "no axis of the dimension is cut")
	assert.Equal(t, []*nn.Axis{kv, group}, fused.Axes())
}

// stack declares three blocks with a fact and an axis of their own.
func stack(b *nn.Builder) {
	b = b.Tower("vision", "vision").Sub("net")
	hidden := b.Axis("hidden", nn.Hidden, 4)
	blocks := b.Stack("layers", 3)
	for i := range blocks.Units() {
		l := b.Layer(blocks, i)
		l.Flag("has_cross", i == 2)
		l.Number("attention_scale", .5)
		ffn := l.Axis("ffn", nn.FFN, 6)
		l.Linear("fc1", ffn.Dim(), hidden.Dim(), nn.Ones)
	}
}

func TestCutNumbersBlocksAnew(t *testing.T) {
	s := declare(t, stack)
	cut := s.Cut(map[*nn.Axis][]int{s.Axis("net.layers"): {0, 2}, s.Axis("net.hidden"): {1, 3}, s.Axis("net.layers.2.ffn"): {5}})
	assert.Equal(t, map[string]int{"net.hidden": 2, "net.layers": 2, "net.layers.0.ffn": 6, "net.layers.1.ffn": 1}, cut.Structure.Axes)
	assert.Equal(t, []map[string]any{
		{"name": "net.layers.0", "has_cross": false, "attention_scale": .5},
		{"name": "net.layers.1", "has_cross": true, "attention_scale": .5}}, cut.Structure.Layers)
	name, stays := cut.Name(s.Param("net.layers.2.fc1.weight"))
	assert.True(t, stays)
	assert.Equal(t, "net.layers.1.fc1.weight", name)
	_, stays = cut.Name(s.Param("net.layers.1.fc1.bias"))
	assert.False(t, stays)

	// Declared again with that structure, sizes and facts are the cut ones.
	again, err := nn.Declare(&cut.Structure, stack)
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2}, again.Param("net.layers.1.fc1.weight").Shape())
	assert.Equal(t, cut.Structure, again.Structure())
}

func TestDeclareRefuses(t *testing.T) {
	whole := declare(t, stack).Structure()
	whole.Axes["net.layers.0.fnf"] = 6
	delete(whole.Axes, "net.layers.0.ffn")
	whole.Layers[0]["attention_scale"] = "wide"
	_, err := nn.Declare(&whole, stack)
	require.Error(t, err)
	for _, want := range []string{"axis net.layers.0.fnf", "no axis net.layers.0.ffn", "attention_scale of net.layers.0"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = nn.Declare(&nn.Structure{Version: 9}, stack)
	assert.ErrorContains(t, err, "version 9")
	_, err = nn.Declare(nil, func(b *nn.Builder) {
		a := b.Axis("a", nn.Hidden, 2)
		b.Axis("a", nn.Hidden, 2)
		b.Param("w", nn.Ones, a.Dim())
		b.Param("w", nn.Ones, a.Dim())
	})
	assert.ErrorContains(t, err, "axis a is declared twice")
	assert.ErrorContains(t, err, "parameter w is declared twice")
}

func TestFillTellsAllFaultsAtOnce(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		s := declare(t, func(b *nn.Builder) {
			a := b.Axis("a", nn.Hidden, 2)
			b.Param("missing", nn.Ones, a.Dim())
			b.Param("misshapen", nn.Ones, a.Dim(), nn.Fixed(3))
		})
		err := s.Fill(map[string]*torch.Tensor{
			"misshapen": torch.Zeros([]int{3, 2}, torch.Float32, torch.CPU), "extra": torch.Zeros([]int{7}, torch.Float32, torch.CPU)})
		for _, want := range []string{"missing [2]", "misshapen has shape [3 2], the network needs [2 3]", "unexpected extra [7]"} {
			assert.ErrorContains(t, err, want)
		}
		assert.Nil(t, s.Param("misshapen").Value, "nothing is taken")
	})
}

// Beside what is missing stands the tensor that may be meant: of its shape, and most like it by name.
func TestFillNamesTheNearest(t *testing.T) {
	s := declare(t, func(b *nn.Builder) {
		b.Param("vision.layers.1.norm_one.weight", nn.Ones, nn.Fixed(2))
		b.Param("head.bias", nn.Ones, nn.Fixed(5))
	})
	err := s.Fits(map[string][]int{"visual.blocks.0.norm_one.weight": {2}, "visual.blocks.1.norm_one.weight": {2},
		"vision.layers.1.norm_two.weight": {3}, "head.bias_of": {4}, "other": {5}})
	assert.ErrorContains(t, err, "missing vision.layers.1.norm_one.weight [2] (visual.blocks.1.norm_one.weight [2] is nearest)")
	assert.ErrorContains(t, err, "missing head.bias [5]\n", "none has a word and the shape in common")
}

// However much does not fit, the message is a screen: a few names of each kind, a line each, and the number of the others.
func TestFaultsFillAScreenAtMost(t *testing.T) {
	s := declare(t, func(b *nn.Builder) {
		for i := range 200 {
			b.Param(fmt.Sprintf("layers.%d.weight", i), nn.Ones, nn.Fixed(5))
			b.Param(fmt.Sprintf("layers.%d.bias", i), nn.Ones, nn.Fixed(5))
		}
	})
	shapes := map[string][]int{}
	for i := range 200 {
		shapes[fmt.Sprintf("layers.%d.weight", i)] = make([]int, 10000)
		shapes[fmt.Sprintf("%slayers.%d.bias", strings.Repeat("x", 10000), i)] = []int{5}
	}
	err := s.Fits(shapes)
	require.ErrorContains(t, err, "200 missing, 200 of another shape, 200 unexpected\n  missing layers.0.bias [5] (xxx")
	lines := strings.Split(err.Error(), "\n")
	assert.Len(t, lines, 1+3*(6+1))
	for _, line := range lines {
		assert.Less(t, len(line), 300)
	}
	assert.Equal(t, 3, strings.Count(err.Error(), "\n  and 194 more"))
}

func TestAParameterWithoutValueIsNamed(t *testing.T) {
	s := declare(t, stack)
	err := torch.Run(func(*torch.Scope) error {
		s.Param("net.layers.0.fc1.weight").T()
		return nil
	})
	assert.ErrorContains(t, err, "net.layers.0.fc1.weight has no value")
}

// Under a gate the norm is that of the kept dimensions alone; with every gate at 1 it is the plain one.
func TestLayerNormUnderAGate(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		var whole, kept *nn.LayerNorm
		var wide, narrow *nn.Axis
		s := declare(t, func(b *nn.Builder) {
			wide, narrow = b.Axis("wide", nn.Hidden, 4), b.Axis("narrow", nn.Hidden, 2)
			whole, kept = b.LayerNorm("whole", wide, 1e-5), b.LayerNorm("kept", narrow, 1e-5)
		})
		require.NoError(t, s.InitAs(1, torch.Float64, torch.CPU))
		defer s.Free()
		x := torch.From([]float64{1, 2, 5, -3, 0, 4, 4, 1}, torch.CPU, 1, 2, 4)
		index := torch.From([]int64{0, 2}, torch.CPU)
		for _, p := range s.Params() {
			p.Value.CopyFrom(torch.From([]float32{1, 2, 3, 4}, torch.CPU).Slice(0, 0, p.Count()))
		}
		s.Param("kept.weight").T().CopyFrom(s.Param("whole.weight").T().IndexSelect(0, index))
		s.Param("kept.bias").T().CopyFrom(s.Param("whole.bias").T().IndexSelect(0, index))
		wide.Gate = torch.From([]float64{1, 0, 1, 0}, torch.CPU)
		masked := whole.Forward(x)
		want := kept.Forward(x.IndexSelect(2, index))
		torchtest.Same(t, want, masked.IndexSelect(2, index))
		assert.Zero(t, masked.IndexSelect(2, torch.From([]int64{1, 3}, torch.CPU)).Abs().AMax().Item())
		wide.Gate = torch.Ones([]int{4}, torch.Float64, torch.CPU)
		gated := whole.Forward(x)
		wide.Gate = nil
		torchtest.Same(t, whole.Forward(x), gated)
	})
}
