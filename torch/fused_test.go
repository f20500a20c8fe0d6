package torch_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// asInDouble holds what f gives for float32 inputs, and their gradients, against the same in float64, which libtorch computes. The inputs of
// fixed want no gradient.
func asInDouble(t *testing.T, f func(in []*torch.Tensor) *torch.Tensor, inputs []*torch.Tensor, fixed ...*torch.Tensor) {
	t.Helper()
	g := torch.NewGenerator(9)
	var weights *torch.Tensor // of the outputs in the loss
	run := func(d torch.DType) (out *torch.Tensor, grads []*torch.Tensor) {
		var in []*torch.Tensor
		for _, x := range inputs {
			in = append(in, x.Detach().To(d).Clone().SetRequiresGrad(true))
		}
		leaves := in
		for _, x := range fixed {
			if x != nil && x.DType().IsFloat() {
				x = x.To(d)
			}
			in = append(in, x)
		}
		out = f(in)
		if weights == nil {
			weights = g.Randn(out.Shape()...)
		}
		out.Mul(weights.To(d)).Sum().Backward()
		for _, x := range leaves {
			grads = append(grads, x.Grad())
		}
		return out.Detach(), grads
	}
	want, wantGrads := run(torch.Float64)
	got, gotGrads := run(torch.Float32)
	torchtest.Within(t, want, got, torchtest.Tolerance(torch.Float32), 0, "output")
	for i := range wantGrads {
		torchtest.Within(t, wantGrads[i], gotGrads[i], torchtest.Tolerance(torch.Float32), 0, "gradient of input %d", i)
	}
	torch.NoGrad(func() {
		in := append([]*torch.Tensor{}, inputs...)
		torchtest.Within(t, want, f(append(in, fixed...)), torchtest.Tolerance(torch.Float32), 0, "output without gradients")
	})
}

// The sizes are below and above those from which products are ours, with remainders in every direction.
func TestLinearBackward(t *testing.T) {
	g := torch.NewGenerator(1)
	for _, c := range []struct{ rows, in, out int }{{63, 16, 16}, {64, 16, 16}, {64, 15, 40}, {65, 17, 33}, {100, 160, 480}, {2500, 70, 44}, {130, 4500, 20}, {1100, 24, 700}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				x, w, b := g.Randn(c.rows, c.in), g.Randn(c.out, c.in), g.Randn(c.out)
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].Linear(in[1], in[2]) }, []*torch.Tensor{x, w, b})
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].Linear(in[1], nil) }, []*torch.Tensor{x, w})
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[1].Linear(in[0], in[2]) }, []*torch.Tensor{w}, x, b)
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].Linear(in[1], in[2]) }, []*torch.Tensor{x}, w, b)
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[1].Linear(in[2], in[0]) }, []*torch.Tensor{b}, x, w)
			})
		})
	}
}

func TestLinearOfViews(t *testing.T) {
	g := torch.NewGenerator(2)
	torchtest.Run(t, func(*torch.Scope) {
		x, w, b := g.Randn(5, 40, 60), g.Randn(50, 90), g.Randn(100)
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor {
			return in[0].Slice(-1, 10, 40).Linear(in[1].Slice(-1, 20, 50), in[2].Slice(0, 50, 100)).Transpose(0, 1)
		}, []*torch.Tensor{x, w, b})
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor {
			return in[0].Transpose(1, 2).Linear(in[1].Slice(-1, 0, 40), nil).Slice(1, 3, 9)
		}, []*torch.Tensor{x, w})
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { // of a sum the gradient has strides of 0
			return in[0].Linear(in[1].Slice(-1, 0, 60), nil).Sum()
		}, []*torch.Tensor{x, w})
	})
}

func TestLinearOfThreads(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		for _, out := range []int{20, 300} {
			g := torch.NewGenerator(3)
			x, w := g.Randn(700, 90).SetRequiresGrad(true), g.Randn(out, 90).SetRequiresGrad(true)
			run := func(threads int) (values []*torch.Tensor) {
				torch.WithThreads(threads, func() {
					x.SetGrad(nil)
					w.SetGrad(nil)
					y := x.Linear(w, nil)
					y.Mul(y).Sum().Backward()
					values = []*torch.Tensor{y, x.Grad(), w.Grad()}
				})
				return values
			}
			one := run(1)
			for _, threads := range []int{2, 5} {
				for i, v := range run(threads) {
					torchtest.Values(t, v, one[i].Shape(), one[i].Floats()...)
				}
			}
		}
	})
}

// Convolutions of patches are linear layers; what a stride leaves over at the edges is not read.
func TestPatches(t *testing.T) {
	g := torch.NewGenerator(21)
	for _, c := range []struct{ height, width, kernel, stride int }{{48, 48, 8, 8}, {50, 31, 8, 8}, {33, 40, 8, 5}, {9, 9, 9, 9}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				x, w, b := g.Randn(5, 3, c.height, c.width), g.Randn(32, 3, c.kernel, c.kernel).MulScalar(.1), g.Randn(32)
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].Conv2D(in[1], in[2], c.stride) }, []*torch.Tensor{x, w, b})
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor {
					return in[1].Transpose(2, 3).Conv2D(in[0], nil, c.stride).Flatten(2, 3).Transpose(1, 2)
				}, []*torch.Tensor{w}, x)
			})
		})
	}
}

func TestPatchesThatAreNone(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		ones := func(shape ...int) *torch.Tensor { return torch.Ones(shape, torch.Float32, torch.CPU) }
		for name, f := range map[string]func(){
			"no stride":     func() { ones(2, 3, 8, 8).Conv2D(ones(4, 3, 0, 0), nil, 0) },
			"one bias":      func() { ones(2, 3, 8, 8).Conv2D(ones(4, 3, 4, 4), ones(1), 4) },
			"a bias matrix": func() { ones(2, 3, 8, 8).Conv2D(ones(4, 3, 4, 4), ones(1, 4), 4) },
			"no outputs":    func() { ones(2, 3, 8, 8).Conv2D(ones(0, 3, 4, 4), nil, 4) },
		} {
			var e *torch.Error
			require.ErrorAs(t, torch.Run(func(*torch.Scope) error { f(); return nil }), &e, name)
		}
		var out *torch.Tensor
		torch.NoGrad(func() { out = ones(2, 3, 8, 8).Conv2D(ones(4, 3, 4, 4), nil, 4) })
		x := ones(2, 4, 2, 2).SetRequiresGrad(true)
		out.CopyFrom(x).Sum().Backward()
		torchtest.Close(t, ones(2, 4, 2, 2), x.Grad())
	})
}

func TestGELUBackward(t *testing.T) {
	g := torch.NewGenerator(22)
	torchtest.Run(t, func(*torch.Scope) {
		far := torch.From([]float32{0, -0.01, 1e-20, 3, -3, 5.5, -5.5, 9, -9, 14, -14, 30, -30, 1e4, -1e4}, torch.CPU, 15)
		for _, tanh := range []bool{false, true} {
			gelu := func(in []*torch.Tensor) *torch.Tensor { return in[0].GELU(tanh) }
			for _, x := range []*torch.Tensor{far, g.Randn(3), g.Randn(3, 70).MulScalar(3), g.Randn(200, 333)} {
				asInDouble(t, gelu, []*torch.Tensor{x})
			}
			asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].Transpose(0, 1).GELU(tanh).Slice(0, 1, 5) }, []*torch.Tensor{g.Randn(40, 9)})
			x := torch.From([]float32{float32(math.NaN()), 1}, torch.CPU, 2).SetRequiresGrad(true)
			x.GELU(tanh).Sum().Backward()
			require.True(t, math.IsNaN(x.Grad().Floats()[0]), "what is no number stays none")
			require.Equal(t, []float64{0, 0}, torch.From([]float32{-3e38, -1e30}, torch.CPU, 2).GELU(tanh).Abs().Floats())
		}
	})
}

func TestLayerNormBackward(t *testing.T) {
	g := torch.NewGenerator(7)
	for _, c := range []struct{ rows, width int }{{1, 8}, {3, 5}, {64, 16}, {65, 33}, {300, 160}, {7, 3000}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				x, w, b := g.Randn(c.rows, c.width).AddScalar(2), g.Randn(c.width), g.Randn(c.width)
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].LayerNorm(in[1], in[2], 1e-5) }, []*torch.Tensor{x, w, b})
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].LayerNorm(in[1], nil, 1e-5) }, []*torch.Tensor{x, w})
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[0].LayerNorm(in[1], in[2], .5) }, []*torch.Tensor{x}, w, b)
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return in[1].LayerNorm(in[0], in[2], 1e-5) }, []*torch.Tensor{w}, x, b)
				asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { // rows that lie apart, and a gradient with strides of 0
					return in[0].Unflatten(0, 1, c.rows).Slice(-1, 0, (c.width+1)/2).LayerNorm(in[1].Slice(0, 0, (c.width+1)/2), nil, 1e-5).Sum()
				}, []*torch.Tensor{x, w})
			})
		})
	}
}

func TestAttentionBackward(t *testing.T) {
	g := torch.NewGenerator(4)
	attend := func(in []*torch.Tensor) *torch.Tensor {
		return torch.ScaledDotProductAttention(in[0], in[1], in[2], in[3], .3)
	}
	for _, c := range []struct{ queries, keys, size, values int }{{1, 1, 1, 1}, {2, 5, 8, 8}, {3, 16, 20, 12}, {16, 37, 32, 32}, {61, 61, 32, 32}, {37, 65, 7, 33}, {300, 140, 24, 17}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				const batch, heads = 2, 3
				in := []*torch.Tensor{g.Randn(batch, heads, c.queries, c.size), g.Randn(batch, heads, c.keys, c.size), g.Randn(batch, heads, c.keys, c.values)}
				asInDouble(t, attend, in, nil)
				asInDouble(t, attend, in, g.Randn(batch, 1, c.queries, c.keys))
				asInDouble(t, attend, in, g.Randn(1, c.keys))
				asInDouble(t, attend, in, g.Randn(1, heads, c.keys, c.queries).Transpose(2, 3))
				asInDouble(t, attend, in, g.Randn(batch, 1, c.queries, c.keys).Abs().LtScalar(1.5))
			})
		})
	}
}

// Keys that no query of a part sees are left out: of questions behind a prefix, of causal masks, of windows, and where each head hides others.
func TestAttentionOfHiddenKeys(t *testing.T) {
	g := torch.NewGenerator(13)
	attend := func(in []*torch.Tensor) *torch.Tensor {
		return torch.ScaledDotProductAttention(in[0], in[1], in[2], in[3], .3)
	}
	segment := func(i int) int { return max(0, i-16+9) / 9 } // 0 of the prefix
	for _, c := range []struct {
		name   string
		tokens int
		sees   func(query, key int) bool
	}{
		{"questions", 61, func(q, k int) bool { return k <= q && (segment(k) == 0 || segment(k) == segment(q)) }},
		{"one question", 21, func(q, k int) bool { return k <= q }},
		{"causal", 300, func(q, k int) bool { return k <= q }},
		{"window", 150, func(q, k int) bool { return k <= q && k > q-20 }},
		{"ragged", 70, func(q, k int) bool { return k == q || (q*7+k*13)%11 == 0 }},
		{"padding", 40, func(_, k int) bool { return k < 23 }},
		{"the other half", 64, func(q, k int) bool { return (q < 30) == (k >= 30) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				const batch, heads = 2, 3
				mask := func(sees func(q, k int) bool) *torch.Tensor {
					hidden := make([]int64, c.tokens*c.tokens)
					for i := range hidden {
						if !sees(i/c.tokens, i%c.tokens) {
							hidden[i] = 1
						}
					}
					return torch.From(hidden, torch.CPU, 1, 1, c.tokens, c.tokens).GtScalar(0)
				}
				hide := func(hidden *torch.Tensor) *torch.Tensor {
					return g.Randn(hidden.Shape()...).MaskedFill(hidden, math.Inf(-1))
				}
				one := mask(c.sees)
				other := mask(func(q, k int) bool { return c.sees(c.tokens-1-q, c.tokens-1-k) })
				each := func(size int) *torch.Tensor { return g.Randn(batch, heads, c.tokens, size) }
				in := []*torch.Tensor{each(20), each(20), each(12)}
				asInDouble(t, attend, in, hide(one))
				asInDouble(t, attend, in, one.Not())
				asInDouble(t, attend, in, hide(torch.Cat(0, one, other)))
				asInDouble(t, attend, in, hide(torch.Cat(1, one, other, one)))
				asInDouble(t, attend, in, hide(one.Transpose(2, 3).Contiguous()).Transpose(2, 3))
			})
		})
	}
}

// What a mask hides is remembered from one call to the next, and looked at again once the mask was written to or is another one.
func TestAttentionOfAChangedMask(t *testing.T) {
	g := torch.NewGenerator(15)
	torchtest.Run(t, func(*torch.Scope) {
		q, k, v := g.Randn(1, 2, 40, 8), g.Randn(1, 2, 40, 8), g.Randn(1, 2, 40, 8)
		attend := func(mask *torch.Tensor) *torch.Tensor { return torch.ScaledDotProductAttention(q, k, v, mask, .3) }
		mask := torch.Zeros([]int{40, 40}, torch.Float32, torch.CPU)
		rows := torch.Arange(0, 40, torch.CPU)
		far := rows.Unsqueeze(0).AddScalar(20).Le(rows.Unsqueeze(1))
		mask.CopyFrom(mask.MaskedFill(far, math.Inf(-1)))
		hidden := attend(mask)
		mask.Fill(0)
		torchtest.Close(t, attend(nil), attend(mask))
		mask.CopyFrom(mask.MaskedFill(far, math.Inf(-1)))
		torchtest.Close(t, hidden, attend(mask))
		require.NotEqual(t, hidden.Floats(), attend(mask.Transpose(0, 1)).Floats())
		own := mask.Floats() // written to by somebody else
		memory := make([]float32, len(own))
		for i, x := range own {
			memory[i] = float32(x)
		}
		borrowed := torch.Borrow(unsafe.Pointer(&memory[0]), torch.Float32, 40, 40)
		torchtest.Close(t, hidden, attend(borrowed))
		clear(memory)
		torchtest.Close(t, attend(nil), attend(borrowed))
		runtime.KeepAlive(memory)
		torch.Inference(func() { torchtest.Close(t, hidden, attend(mask.Clone())) })
	})
}

// A mask with one row for all queries, and masks in other dtypes than the tensors.
func TestAttentionOfOtherMasks(t *testing.T) {
	g := torch.NewGenerator(16)
	torchtest.Run(t, func(*torch.Scope) {
		in := []*torch.Tensor{g.Randn(3, 2, 70, 8), g.Randn(3, 2, 50, 8), g.Randn(3, 2, 50, 8)}
		padding := torch.Arange(0, 50, torch.CPU).Unsqueeze(0).GtScalar(30).Unsqueeze(0).Unsqueeze(0)
		attend := func(in []*torch.Tensor) *torch.Tensor {
			return torch.ScaledDotProductAttention(in[0], in[1], in[2], in[3], .3)
		}
		asInDouble(t, attend, in, g.Randn(3, 1, 1, 50).MaskedFill(padding, math.Inf(-1)))
		asInDouble(t, attend, in, padding.Not())
		x, weights := g.Randn(3, 50, 32), [3]*torch.Tensor{g.Randn(16, 32), g.Randn(16, 32), g.Randn(16, 32)}
		mask := torch.Zeros([]int{1, 1, 1, 50}, torch.Float32, torch.CPU).MaskedFill(padding, math.Inf(-1))
		want := torch.ProjectedAttention(x, weights, nil, mask, 2, .3)
		for _, d := range []torch.DType{torch.BFloat16, torch.Float16} {
			torchtest.Close(t, want, torch.ProjectedAttention(x, weights, nil, mask.To(d), 2, .3))
		}
	})
}

func TestSelfAttention(t *testing.T) {
	g := torch.NewGenerator(10)
	for _, tokens := range []int{1, 2, 37, 200} {
		torchtest.Run(t, func(*torch.Scope) {
			x := g.Randn(2, tokens, 3*4*8)
			asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return torch.SelfAttention(in[0], 4, .3) }, []*torch.Tensor{x})
			asInDouble(t, func(in []*torch.Tensor) *torch.Tensor {
				return torch.SelfAttention(in[0].Slice(-1, 9, 9+72), 3, .3).Sum()
			}, []*torch.Tensor{x})
			parts := x.Unflatten(-1, 3, 4, 8).Permute(2, 0, 3, 1, 4)
			apart := torch.ScaledDotProductAttention(parts.Select(0, 0), parts.Select(0, 1), parts.Select(0, 2), nil, .3).Transpose(1, 2).Flatten(2, 3)
			torchtest.Close(t, apart, torch.SelfAttention(x, 4, .3))
			torch.Autocast(torch.CPU, torch.BFloat16, func() {
				halves := x.To(torch.BFloat16)
				torchtest.Close(t, torch.SelfAttention(halves.To(torch.Float32), 4, .3), torch.SelfAttention(halves, 4, .3))
			})
		})
	}
}

// Tensors that are one row for all tokens have steps of 0. Where all keys or all values are one, no query has a gradient but for rounding.
func TestAttentionOfExpandedTensors(t *testing.T) {
	g := torch.NewGenerator(11)
	attend := func(in []*torch.Tensor) *torch.Tensor {
		return torch.ScaledDotProductAttention(in[0], in[1], in[2], nil, .3)
	}
	torchtest.Run(t, func(*torch.Scope) {
		x, w := g.Randn(2, 37, 3*4*16), g.Randn(64)
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return torch.SelfAttention(in[0], 4, .3).Sum(1).Mul(in[1]) }, []*torch.Tensor{x, w})
		one := g.Randn(2, 4, 1, 16)
		each := func() *torch.Tensor { return g.Randn(2, 4, 20, 16) }
		wide := func(x *torch.Tensor) *torch.Tensor { return x.Expand(2, 4, 20, 16) }
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return attend([]*torch.Tensor{wide(in[0]), in[1], in[2]}) }, []*torch.Tensor{one, each(), each()})
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return attend([]*torch.Tensor{in[1], in[2], wide(in[0])}) }, []*torch.Tensor{one}, each(), each())
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { return attend([]*torch.Tensor{in[1], wide(in[2]), in[0]}) }, []*torch.Tensor{each()}, each(), one)
	})
}

// Results may be written to, as those of libtorch's operations.
func TestFusedResultsCanBeWritten(t *testing.T) {
	g := torch.NewGenerator(12)
	torchtest.Run(t, func(*torch.Scope) {
		x, w := g.Randn(2, 40, 48).SetRequiresGrad(true), g.Randn(48, 48)
		for _, y := range []*torch.Tensor{x.Linear(w, nil), x.LayerNorm(w.Select(0, 0), nil, 1e-5), torch.SelfAttention(x, 2, 1)} {
			y.Fill(1)
			require.Equal(t, 1., y.Mean().Item())
		}
		b := g.Randn(48).SetRequiresGrad(true)
		y := x.Linear(w, b).Sum()
		torch.NoGrad(func() { b.Fill(0) })
		y.Backward()
		require.Equal(t, 80., b.Grad().Select(0, 0).Item())
	})
}

// Projections give heads that lie between each other.
func TestAttentionOfViews(t *testing.T) {
	g := torch.NewGenerator(5)
	torchtest.Run(t, func(*torch.Scope) {
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor {
			parts := in[0].Unflatten(-1, 3, 4, 8).Permute(2, 0, 3, 1, 4)
			return torch.ScaledDotProductAttention(parts.Select(0, 0), parts.Select(0, 1), parts.Select(0, 2), nil, .3).Transpose(1, 2).Flatten(2, 3)
		}, []*torch.Tensor{g.Randn(2, 30, 96)})
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { // sizes that do not lie in one piece
			return torch.ScaledDotProductAttention(in[0].Transpose(2, 3), in[1].Transpose(2, 3), in[2].Transpose(2, 3), nil, .3).Slice(3, 1, 3)
		}, []*torch.Tensor{g.Randn(2, 3, 6, 10), g.Randn(2, 3, 6, 11), g.Randn(2, 3, 5, 11)})
	})
}

func TestAttentionToNothing(t *testing.T) {
	g := torch.NewGenerator(6)
	torchtest.Run(t, func(*torch.Scope) {
		for _, keys := range []int{5, 200} {
			mask := make([]float32, 4*keys)
			for i := range keys {
				mask[keys+i] = float32(math.Inf(-1))
			}
			in := []*torch.Tensor{g.Randn(1, 2, 4, 8), g.Randn(1, 2, keys, 8), g.Randn(1, 2, keys, 8)}
			for _, x := range in {
				x.SetRequiresGrad(true)
			}
			out := torch.ScaledDotProductAttention(in[0], in[1], in[2], floats(torch.CPU, []int{4, keys}, mask...), 1)
			out.Mul(out).Sum().Backward()
			require.Equal(t, make([]float64, 16), out.Slice(2, 1, 2).Floats())
			require.Equal(t, make([]float64, 16), in[0].Grad().Slice(2, 1, 2).Floats())
			for _, x := range in {
				require.False(t, math.IsNaN(x.Grad().Sum().Item()))
			}
			if torch.CPUCapability() == "DEFAULT" {
				continue // libtorch's own kernel loses a NaN there
			}
			broken := in[0].Detach()
			broken = torch.Cat(2, broken.Slice(2, 0, 2), broken.Slice(2, 2, 4).MulScalar(math.NaN()))
			out = torch.ScaledDotProductAttention(broken, in[1], in[2], nil, 1)
			require.True(t, math.IsNaN(out.Slice(2, 2, 3).Sum().Item()))
		}
	})
}

// Projections as one are those of three layers with attention between them, in every dtype that they may meet in.
func TestProjectedAttention(t *testing.T) {
	g := torch.NewGenerator(14)
	const batch, tokens, width, heads = 3, 30, 40, 2
	apart := func(in []*torch.Tensor, biases []*torch.Tensor, mask *torch.Tensor) *torch.Tensor {
		part := func(i int) *torch.Tensor {
			var bias *torch.Tensor
			if biases != nil {
				bias = biases[i]
			}
			return in[0].Linear(in[1+i], bias).Unflatten(-1, heads, -1).Transpose(1, 2)
		}
		return torch.ScaledDotProductAttention(part(0), part(1), part(2), mask, .3).Transpose(1, 2).Flatten(2, 3)
	}
	torchtest.Run(t, func(*torch.Scope) {
		in := []*torch.Tensor{g.Randn(batch, tokens, width)}
		var biases []*torch.Tensor
		for range 3 {
			in, biases = append(in, g.Randn(heads*12, width).MulScalar(.2)), append(biases, g.Randn(heads*12))
		}
		causal := torch.Arange(0, tokens, torch.CPU)
		mask := causal.Unsqueeze(0).Le(causal.Unsqueeze(1))
		one := func(in []*torch.Tensor) *torch.Tensor { // a key's bias moves all scores of a query alike: its gradient is rounding alone
			return torch.ProjectedAttention(in[0], [3]*torch.Tensor{in[1], in[2], in[3]}, []*torch.Tensor{in[4], in[6], in[5]}, in[7], heads, .3)
		}
		bare := func(in []*torch.Tensor) *torch.Tensor {
			return torch.ProjectedAttention(in[0], [3]*torch.Tensor{in[1], in[2], in[3]}, nil, in[4], heads, .3)
		}
		all := append(append([]*torch.Tensor{}, in...), biases[0], biases[2], biases[1])
		asInDouble(t, one, all[:6], biases[1], mask)
		asInDouble(t, one, all[:6], biases[1], nil)
		asInDouble(t, bare, in, mask)
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { // frozen layers
			return one([]*torch.Tensor{in[0], in[2], in[3], in[1], in[4], in[5], in[6], in[7]})
		}, []*torch.Tensor{all[0], all[3]}, all[1], all[2], all[4], all[5], all[6], mask)
		asInDouble(t, func(in []*torch.Tensor) *torch.Tensor { // only one layer learns
			return one([]*torch.Tensor{in[2], in[3], in[0], in[4], in[1], in[5], in[6], in[7]})
		}, []*torch.Tensor{all[2], all[4]}, all[0], all[1], all[3], all[5], all[6], mask)
		few := append([]*torch.Tensor{all[0].Slice(1, 0, 9)}, all[1:6]...) // too few rows for products of ours
		asInDouble(t, one, few, biases[1], nil)
		for _, d := range []torch.DType{torch.BFloat16, torch.Float16, torch.Float64} {
			torch.NoGrad(func() {
				var halves []*torch.Tensor
				for _, x := range all {
					halves = append(halves, x.To(d))
				}
				torchtest.Close(t, apart(halves[:4], []*torch.Tensor{halves[4], halves[6], halves[5]}, mask), one(append(halves, mask)))
			})
		}
		torch.Autocast(torch.CPU, torch.BFloat16, func() {
			want, got := apart(in, biases, mask), one(append(append([]*torch.Tensor{}, all...), mask))
			torchtest.Within(t, want, got, torchtest.Tolerance(torch.BFloat16), 0, "output under autocast")
		})
	})
}
