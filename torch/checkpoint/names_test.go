package checkpoint_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// over names tensors that hold 0, 1, 2, … and gives what is seen.
func over(t *testing.T, rules string, shapes map[string][]int) (*checkpoint.Named, error) {
	t.Helper()
	m, err := checkpoint.ParseNames(rules)
	require.NoError(t, err)
	return m.Over(counting(shapes))
}

// counting are float32 tensors of the shapes that hold 0, 1, 2, …
func counting(shapes map[string][]int) checkpoint.Tensors {
	out := checkpoint.Tensors{}
	for name, shape := range shapes {
		n := 1
		for _, d := range shape {
			n *= d
		}
		out[name] = torch.Arange(0, n, torch.CPU).To(torch.Float32).Reshape(shape...)
	}
	return out
}

func see(t *testing.T, s checkpoint.Source, name string, shape []int, values ...float64) {
	t.Helper()
	v, err := s.Load(name, torch.CPU)
	require.NoError(t, err)
	defer v.Free()
	torchtest.Values(t, v, shape, values...)
	info, ok := s.Info(name)
	require.True(t, ok)
	assert.Equal(t, shape, info.Shape)
	assert.Len(t, s.Bytes(name), int(info.Bytes))
}

func TestNames(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		n, err := over(t, `
			[[rule]]
			from = ["h.*.q.b", "", "h.*.v.b"]
			to   = "l.*.qkv.b"
			[[rule]]
			from = ["h.*.k.w", "h.*.v.w"]
			to   = "l.*.kv.w"
			dim  = 1
			[[rule]]
			from = "h.*.out.w"
			to   = "l.*.out.w"
			transpose = true
			[[rule]]
			from  = "[ema.]fused.*"
			to    = ["a.*", "", "c.*"]
			sizes = [2, 1, 1]
			[[rule]]
			from = "h.*.mlp.**"
			to   = "l.*.ffn.**"
			[[rule]]
			from = "unused.**"
			to   = []`,
			map[string][]int{"h.0.q.b": {2}, "h.0.v.b": {2}, "h.7.k.w": {2, 1}, "h.7.v.w": {2, 2}, "h.0.out.w": {2, 3},
				"ema.fused.w": {4, 1}, "fused.b": {8}, "h.3.mlp.fc.w": {1}, "unused.x.y": {1}, "kept": {1}})
		require.NoError(t, err)
		assert.Equal(t, []string{"a.b", "a.w", "c.b", "c.w", "kept", "l.0.out.w", "l.0.qkv.b", "l.3.ffn.fc.w", "l.7.kv.w"}, n.Names())
		see(t, n, "l.0.qkv.b", []int{6}, 0, 1, 0, 0, 0, 1)
		see(t, n, "l.7.kv.w", []int{2, 3}, 0, 0, 1, 1, 2, 3)
		see(t, n, "l.0.out.w", []int{3, 2}, 0, 3, 1, 4, 2, 5)
		see(t, n, "a.w", []int{2, 1}, 0, 1)
		see(t, n, "c.w", []int{1, 1}, 3)
		see(t, n, "a.b", []int{4}, 0, 1, 2, 3)
		see(t, n, "c.b", []int{2}, 6, 7)
		see(t, n, "l.3.ffn.fc.w", []int{1}, 0)
	})
}

// The way back gives the tensors under their old names, bit for bit.
func TestNamesReverse(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, err := checkpoint.ParseNames(`
			[[rule]]
			from  = ["h.*.q", "h.*.kv"]
			to    = "l.*.qkv"
			dim   = 1
			sizes = [1, 2]
			transpose = true
			[[rule]]
			from = "[x.]y.**"
			to   = "z.**"`)
		require.NoError(t, err)
		from := counting(map[string][]int{"h.1.q": {3, 2}, "h.1.kv": {3, 4}, "x.y.a.b": {5}})
		there, err := m.Over(from)
		require.NoError(t, err)
		assert.Equal(t, []string{"l.1.qkv", "z.a.b"}, there.Names())
		info, _ := there.Info("l.1.qkv")
		assert.Equal(t, []int{6, 3}, info.Shape)
		back, err := m.Reverse().Over(there)
		require.NoError(t, err)
		require.Equal(t, from.Names(), back.Names())
		for _, name := range from.Names() {
			assert.Equal(t, from.Bytes(name), back.Bytes(name), name)
		}
	})
}

func TestNamesFaults(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		join := "[[rule]]\nfrom = [\"q.*\", \"k.*\"]\nto = \"qk.*\""
		for _, c := range []struct {
			rules  string
			shapes map[string][]int
			want   string
		}{
			{join, map[string][]int{"q.w": {1}}, "q.w is there, but not k.w"},
			{join, map[string][]int{"q.w": {1, 2}, "k.w": {1, 3}}, "cannot be joined along dimension 0"},
			{join, map[string][]int{"q.w": {}, "k.w": {}}, "there is no dimension 0"},
			{join, map[string][]int{"q.w": {1}, "k.w": {1}, "qk.w": {2}}, "would both be called qk.w"},
			{"[[rule]]\nfrom = \"a\"\nto = [\"b\", \"c\"]", map[string][]int{"a": {3}}, "cannot be split by [1 1]"},
			{"[[rule]]\nfrom = \"a\"\nto = \"b\"\ntranspose = true", map[string][]int{"a": {3}}, "only a matrix is transposed"},
		} {
			_, err := over(t, c.rules, c.shapes)
			require.ErrorContains(t, err, c.want)
		}
	})
	for text, want := range map[string]string{
		"":                                   "no [[rule]]",
		"[[rule]]\nfrom = \"a.*\"\nto=\"b\"": "0 wildcards",
		"[[rule]]\nfrom = [\"a\",\"b\"]\nto=[\"c\",\"d\"]":           "joined to one",
		"[[rule]]\nfrom = \"a\"\nto=[\"b\",\"c\"]\nsizes=[1]":        "1 sizes for 2 parts",
		"[[rule]]\nfrom = \"a\"\nto=[\"b\",\"c\"]\nsizes=[1,0]":      "at least 1",
		"[[rule]]\nfrom = \"a\"\nto=\"b\"\ndim=-1":                   "count from 0",
		"[[rule]]\nfrom = \"\"\nto=\"b\"":                            "from is empty",
		"[[rule]]\nfrom = \"a\"\nto=\"\"":                            "[] drops",
		"[[rule]]\nfrom = 3\nto=\"b\"":                               "a name or a list",
		"[[rule]]\nfrom = \"a\"\nto=\"b\"\nspeed=3":                  "unknown key rule.speed",
		"[[rule]]\nfrom = \"a\"\nto=\"b\"\n[[rule]]\nfrom=1\nto=[2]": "rule 2",
	} {
		_, err := checkpoint.ParseNames(text)
		require.ErrorContains(t, err, want, text)
	}
}

// Of tensors of the same name the last counts, and it is said.
func TestMerge(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := checkpoint.Merge(counting(map[string][]int{"a": {1}, "b": {1}}), counting(map[string][]int{"b": {3}, "c": {1}}))
		assert.Equal(t, []string{"a", "b", "c"}, m.Names())
		assert.Equal(t, []string{"b"}, m.Replaced)
		see(t, m, "b", []int{3}, 0, 1, 2)
		m.Drop("a")
		assert.False(t, slices.Contains(m.Names(), "a"))
		_, err := m.Load("a", torch.CPU)
		require.ErrorContains(t, err, `no tensor "a"`)
	})
}
