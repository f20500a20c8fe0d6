package torch_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func input(name string, t *torch.Tensor) torch.Input {
	return torch.Input{Name: name, Operand: torch.Operand{Tensor: t}}
}

// A traced method runs at sizes that it was not traced with, from the file, and its parameters have their names.
func TestTraceRunsAtOtherSizes(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		g := torch.NewGenerator(1)
		randn := func(shape ...int) *torch.Tensor { return g.Randn(shape...).To(torch.Float64) }
		w, start := randn(3, 4), randn(1, 1, 3)
		forward := func(x *torch.Tensor, kept []*torch.Tensor) (*torch.Tensor, []*torch.Tensor) {
			y := torch.Cat(1, start.ExpandFirst(x), x.Linear(w, nil))
			y = y.Add(x.Places(1).To(torch.Float64).Sum()).Mul(torch.From([]float32{1, 2, 3}, torch.CPU))
			return y, []*torch.Tensor{torch.Cat(1, kept[0], y), kept[1].AddScalar(1)}
		}
		example := func(rows, tokens int) (*torch.Tensor, []*torch.Tensor) {
			return randn(rows, tokens, 4), []*torch.Tensor{randn(rows, 2*tokens, 3), randn(1)}
		}
		m, err := torch.NewModule("Test", map[string]*torch.Tensor{"layers.0.weight": w, "layers.start": start})
		require.NoError(t, err)
		defer m.Close()
		x, kept := example(2, 3)
		inputs := []torch.Input{input("x", x), {Name: "kept", Operand: torch.Operand{List: kept}}}
		require.NoError(t, m.Trace("join", inputs, func(in []torch.Operand) []torch.Operand {
			y, grown := forward(in[0].Tensor, in[1].List)
			return []torch.Operand{{Tensor: y}, {List: grown}}
		}))
		file := filepath.Join(t.TempDir(), "m.pt")
		require.NoError(t, m.Save(file, map[string]string{"about.json": `{"a": 1}`}))
		entries, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		require.Len(t, entries, 1)
		about, err := torch.ExtraFile(file, "about.json")
		require.NoError(t, err)
		assert.Equal(t, `{"a": 1}`, string(about))

		loaded, err := torch.LoadModule(file, torch.CPU)
		require.NoError(t, err)
		defer loaded.Close()
		for _, size := range [][2]int{{2, 3}, {1, 1}, {5, 7}} {
			x, kept := example(size[0], size[1])
			want, grown := forward(x, kept)
			got := loaded.Call("join", torch.Operand{Tensor: x}, torch.Operand{List: kept})
			require.Len(t, got, 2)
			torchtest.Same(t, want, got[0].Tensor, "y")
			torchtest.Same(t, grown[0], got[1].List[0], "list")
			torchtest.Same(t, grown[1], got[1].List[1], "list")
		}
		w.Fill(0) // the module reads its parameters; it has copies of none
		require.Zero(t, m.Call("join", torch.Operand{Tensor: x}, torch.Operand{List: kept})[0].Tensor.Slice(1, 1, 2).
			Sub(torch.From([]float32{3, 6, 9}, torch.CPU)).Sum().Item())
	})
}

// Whatever goes wrong, the thread stops recording, and the next trace is whole.
func TestTraceFaults(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		w, x := torch.Ones([]int{2, 2}, torch.Float32, torch.CPU), torch.Ones([]int{1, 2}, torch.Float32, torch.CPU)
		m, err := torch.NewModule("Test", map[string]*torch.Tensor{"w": w})
		require.NoError(t, err)
		defer m.Close()
		trace := func(f func(x *torch.Tensor) *torch.Tensor) error {
			return m.Trace("f", []torch.Input{input("x", x)}, func(in []torch.Operand) []torch.Operand {
				return torch.Operands(f(in[0].Tensor))
			})
		}
		view, big := w.Transpose(0, 1), torch.Zeros([]int{3000, 2}, torch.Float32, torch.CPU)
		for want, f := range map[string]func(x *torch.Tensor) *torch.Tensor{
			"matmul":                           func(x *torch.Tensor) *torch.Tensor { return w.MatMul(x) },
			"a view of w was made before":      func(x *torch.Tensor) *torch.Tensor { return x.MatMul(view) },
			"neither an input nor a param":     func(x *torch.Tensor) *torch.Tensor { return x.Linear(big, nil) },
			"output 0 [1] depends on no input": func(*torch.Tensor) *torch.Tensor { return torch.Ones([]int{1}, torch.Float32, torch.CPU) },
			"a trace is being recorded on":     func(*torch.Tensor) *torch.Tensor { panic(trace(nil)) },
			"the tensor is nil":                func(*torch.Tensor) *torch.Tensor { return (*torch.Tensor)(nil).Clone() },
		} {
			assert.ErrorContains(t, trace(f), want)
		}
		assert.PanicsWithValue(t, "boom", func() { _ = trace(func(*torch.Tensor) *torch.Tensor { panic("boom") }) })
		require.NoError(t, trace(func(x *torch.Tensor) *torch.Tensor { return x.Linear(w, nil) }))
		assert.ErrorContains(t, trace(func(x *torch.Tensor) *torch.Tensor { return x.Linear(w, nil) }), "has a method f already")
		torchtest.Within(t, torch.Full([]int{1, 2}, 2, torch.Float32, torch.CPU), m.Call("f", torch.Operands(x)...)[0].Tensor, 0, 0, "f")

		call := func(method string, in ...*torch.Tensor) error {
			return torch.Run(func(*torch.Scope) error { m.Call(method, torch.Operands(in...)...); return nil })
		}
		assert.ErrorContains(t, call("g", x), "no method g")
		assert.ErrorContains(t, call("f"), "missing value for argument 'x'")
		assert.ErrorContains(t, call("f", big.Transpose(0, 1)), "mat1 and mat2 shapes cannot be multiplied (2x3000 and 2x2)")
		_, err = torch.LoadModule("nowhere.pt", torch.CPU)
		assert.ErrorContains(t, err, "nowhere.pt: no such file")
		_, err = torch.NewModule("Test", map[string]*torch.Tensor{"a.b": w, "a.b.c": x})
		assert.Error(t, err)
	})
}
