package torch_test

import "espalier/torch"

// operands are what the misuses work on.
type operands struct {
	x     *torch.Tensor // float32 [2 3]
	i     *torch.Tensor // int64 [2], out of range of every dimension of x
	freed *torch.Tensor
	huge  *torch.Tensor // an expanded element: no machine has the memory for what is computed from it
	leaf  *torch.Tensor // float32 [2 3]
}

func newOperands() operands {
	o := operands{
		x:     torch.Ones([]int{2, 3}, torch.Float32, torch.CPU),
		i:     torch.FromInts([]int{0, 99}, torch.CPU),
		freed: torch.Ones([]int{2, 3}, torch.Float32, torch.CPU),
		huge:  torch.Ones([]int{1}, torch.Float32, torch.CPU).Expand(1 << 50),
		leaf:  torch.Ones([]int{2, 3}, torch.Float32, torch.CPU).SetRequiresGrad(true),
	}
	o.freed.Free()
	return o
}

// misuse is a call that must come back as an error, or why there is none.
type misuse struct {
	call  func(o operands) error
	never string
}

// does is a misuse by something that panics.
func does(f func(o operands)) misuse {
	return misuse{call: func(o operands) error {
		f(o)
		return nil
	}}
}

// huge has an operand that no memory holds the result of.
func huge(f func(t *torch.Tensor) *torch.Tensor) misuse { return does(func(o operands) { f(o.huge) }) }

// two has operands whose shapes do not go together.
func two(f func(t, u *torch.Tensor) *torch.Tensor) misuse {
	return does(func(o operands) { f(o.x, torch.Ones([]int{5}, torch.Float32, torch.CPU)) })
}

// dim has a dimension that x does not have.
func dim(f func(x *torch.Tensor, dim int)) misuse { return does(func(o operands) { f(o.x, 7) }) }

func newModule(parameters map[string]*torch.Tensor) *torch.Module {
	m, err := torch.NewModule("M", parameters)
	if err != nil {
		panic(err)
	}
	return m
}

// The misuses of each function of the shim, by its name.
var misuses = map[string]misuse{
	// The library and its devices.
	"esp_threads_set":      does(func(operands) { torch.SetNumThreads(0) }),
	"esp_threads_get":      {never: "takes nothing"},
	"esp_threads_own":      does(func(operands) { torch.WithThreads(2000, func() {}) }),
	"esp_memory_trim":      {never: "takes nothing"},
	"esp_cpu_capability":   {never: "takes nothing"},
	"esp_shim_path":        {never: "takes nothing"},
	"esp_cuda_prepare":     {never: "takes nothing, and is called once"},
	"esp_cuda_load":        {never: "takes nothing; a broken CUDA library would be needed"},
	"esp_test_device_load": {never: "takes nothing; a broken library would be needed"},
	"esp_cuda_synchronize": does(func(operands) { torch.CUDA(999).Synchronize() }),

	// Reading tensors.
	"esp_tensor_rank":          does(func(o operands) { o.freed.Rank() }),
	"esp_tensor_shape":         does(func(o operands) { o.freed.Shape() }),
	"esp_tensor_size":          dim(func(x *torch.Tensor, d int) { x.Size(d) }),
	"esp_tensor_count":         does(func(o operands) { o.freed.Count() }),
	"esp_tensor_dtype":         does(func(o operands) { o.freed.DType() }),
	"esp_tensor_device":        does(func(o operands) { o.freed.Device() }),
	"esp_tensor_is_contiguous": does(func(o operands) { o.freed.IsContiguous() }),
	"esp_tensor_data":          does(func(o operands) { o.freed.DataPointer() }),
	"esp_tensor_read":          does(func(o operands) { o.huge.Raw() }),
	"esp_tensor_item":          does(func(o operands) { o.x.Item() }),
	"esp_tensor_export":        does(func(o operands) { o.freed.Export() }),
	"esp_tensor_import":        does(func(operands) { torch.Import(nil) }),
	"esp_tensor_alias":         {call: hookThatGives(func(o operands) *torch.Tensor { return o.freed })},

	// Making tensors.
	"esp_tensor_empty":     does(func(operands) { torch.Empty([]int{-1}, torch.Float32, torch.CPU) }),
	"esp_tensor_full":      does(func(operands) { torch.Zeros([]int{2}, torch.DType(-1), torch.CPU) }),
	"esp_tensor_arange":    does(func(operands) { torch.Arange(5, 0, torch.CPU) }),
	"esp_tensor_places":    dim(func(x *torch.Tensor, d int) { x.Places(d) }),
	"esp_tensor_from":      does(func(operands) { torch.FromBytes(make([]byte, 8), torch.Float32, torch.CUDA(999), 2) }),
	"esp_tensor_borrow":    does(func(operands) { torch.Borrow(nil, torch.Float32, 4) }),
	"esp_tensor_to_dtype":  does(func(o operands) { o.x.To(torch.DType(99)) }),
	"esp_tensor_to_device": does(func(o operands) { o.x.ToDevice(torch.CUDA(300)) }),
	"esp_tensor_clone":     huge((*torch.Tensor).Clone),
	"esp_tensor_detach":    does(func(o operands) { o.freed.Detach() }),
	"esp_generator_new":    {never: "every seed will do"},
	"esp_tensor_randn":     does(func(operands) { torch.NewGenerator(1).Randn(-1) }),
	"esp_tensor_rand":      does(func(operands) { (&torch.Generator{}).Rand(2) }),

	// Shape.
	"esp_tensor_reshape":           does(func(o operands) { o.x.Reshape(-1, -1) }),
	"esp_tensor_flatten":           does(func(o operands) { o.x.Flatten(1, 0) }),
	"esp_tensor_unflatten":         does(func(o operands) { o.x.Unflatten(1, 2, 2) }),
	"esp_tensor_transpose":         dim(func(x *torch.Tensor, d int) { x.Transpose(0, d) }),
	"esp_tensor_permute":           does(func(o operands) { o.x.Permute(0, 0) }),
	"esp_tensor_unsqueeze":         dim(func(x *torch.Tensor, d int) { x.Unsqueeze(d) }),
	"esp_tensor_squeeze":           dim(func(x *torch.Tensor, d int) { x.Squeeze(d) }),
	"esp_tensor_expand":            does(func(o operands) { o.x.Expand(5, 5) }),
	"esp_tensor_expand_first":      does(func(o operands) { o.x.Sum().ExpandFirst(o.x) }),
	"esp_tensor_repeat_interleave": does(func(o operands) { o.x.RepeatInterleave(-5, 0) }),
	"esp_tensor_narrow":            does(func(o operands) { o.x.Narrow(0, 2, 1<<62) }),
	"esp_tensor_slice":             dim(func(x *torch.Tensor, d int) { x.Slice(d, 0, 1) }),
	"esp_tensor_select":            does(func(o operands) { o.x.Select(0, -3) }),
	"esp_tensor_contiguous":        huge((*torch.Tensor).Contiguous),
	"esp_tensors_cat":              does(func(o operands) { torch.Cat(0, o.x, o.i) }),

	// Indexing.
	"esp_tensor_index_select":   does(func(o operands) { o.x.IndexSelect(0, o.i) }),
	"esp_tensor_gather":         does(func(o operands) { o.x.Gather(0, o.i.Unsqueeze(0)) }),
	"esp_tensor_scatter":        does(func(o operands) { o.x.Scatter(0, o.i.Unsqueeze(0), 1) }),
	"esp_tensor_index_copy":     does(func(o operands) { o.x.IndexCopy(0, o.i, o.x) }),
	"esp_tensor_masked_fill":    does(func(o operands) { o.x.MaskedFill(o.x, 1) }),
	"esp_tensor_masked_scatter": does(func(o operands) { o.x.MaskedScatter(o.x.GtScalar(0), o.x.Select(0, 0)) }),
	"esp_tensor_where":          does(func(o operands) { torch.Where(o.x.GtScalar(0), o.x, torch.Ones([]int{5}, torch.Float32, torch.CPU)) }),

	// Arithmetic.
	"esp_tensor_add":         two((*torch.Tensor).Add),
	"esp_tensor_sub":         two((*torch.Tensor).Sub),
	"esp_tensor_mul":         two((*torch.Tensor).Mul),
	"esp_tensor_div":         two((*torch.Tensor).Div),
	"esp_tensor_minimum":     two((*torch.Tensor).Minimum),
	"esp_tensor_matmul":      two((*torch.Tensor).MatMul),
	"esp_tensor_eq":          two((*torch.Tensor).Eq),
	"esp_tensor_le":          two((*torch.Tensor).Le),
	"esp_tensor_logical_and": two((*torch.Tensor).And),
	"esp_tensor_logical_or":  two((*torch.Tensor).Or),
	"esp_tensor_add_scalar":  does(func(o operands) { o.i.AddScalar(1e300) }),
	"esp_tensor_mul_scalar":  does(func(o operands) { o.i.MulScalar(-0x1p63 * 2) }),
	"esp_tensor_clamp_min":   does(func(o operands) { o.i.ClampMin(0x1p63) }),
	"esp_tensor_eq_scalar":   does(func(o operands) { o.huge.EqScalar(1) }),
	"esp_tensor_lt_scalar":   does(func(o operands) { o.huge.LtScalar(1) }),
	"esp_tensor_gt_scalar":   does(func(o operands) { o.huge.GtScalar(1) }),
	"esp_tensor_neg":         huge((*torch.Tensor).Neg),
	"esp_tensor_abs":         huge((*torch.Tensor).Abs),
	"esp_tensor_exp":         huge((*torch.Tensor).Exp),
	"esp_tensor_log":         huge((*torch.Tensor).Log),
	"esp_tensor_sqrt":        huge((*torch.Tensor).Sqrt),
	"esp_tensor_rsqrt":       huge((*torch.Tensor).Rsqrt),
	"esp_tensor_cos":         huge((*torch.Tensor).Cos),
	"esp_tensor_sin":         huge((*torch.Tensor).Sin),
	"esp_tensor_isfinite":    huge((*torch.Tensor).IsFinite),
	"esp_tensor_logical_not": huge((*torch.Tensor).Not),
	"esp_tensor_copy_":       does(func(o operands) { o.x.CopyFrom(torch.Ones([]int{5}, torch.Float32, torch.CPU)) }),
	"esp_tensor_fill_":       does(func(o operands) { o.leaf.Fill(1) }),

	// Reductions.
	"esp_tensor_sum":       does(func(o operands) { o.x.Sum(0, 0) }),
	"esp_tensor_mean":      does(func(o operands) { o.i.Mean() }),
	"esp_tensor_amax":      does(func(operands) { torch.Zeros([]int{0}, torch.Float32, torch.CPU).AMax() }),
	"esp_tensor_argmax":    dim(func(x *torch.Tensor, d int) { x.ArgMax(d) }),
	"esp_tensor_logsumexp": dim(func(x *torch.Tensor, d int) { x.LogSumExp(d) }),
	"esp_tensor_cumsum":    dim(func(x *torch.Tensor, d int) { x.CumSum(d) }),
	"esp_tensor_all":       does(func(o operands) { o.freed.All() }),
	"esp_tensor_any":       does(func(o operands) { o.freed.Any() }),
	"esp_tensor_topk":      does(func(o operands) { o.x.TopK(4, 1) }),

	// Neural networks.
	"esp_tensor_linear":         does(func(o operands) { o.x.Linear(torch.Ones([]int{4, 5}, torch.Float32, torch.CPU), nil) }),
	"esp_tensor_layer_norm":     does(func(o operands) { o.x.LayerNorm(torch.Ones([]int{0}, torch.Float32, torch.CPU), nil, 1e-5) }),
	"esp_tensor_embedding":      does(func(o operands) { torch.Embedding(o.x, o.i) }),
	"esp_tensor_conv2d":         does(func(o operands) { o.x.Reshape(1, 1, 2, 3).Conv2D(o.x.Reshape(1, 1, 2, 3), nil, 0) }),
	"esp_tensor_gelu":           does(func(o operands) { o.i.GELU(true) }),
	"esp_tensor_relu":           huge((*torch.Tensor).ReLU),
	"esp_tensor_silu":           huge((*torch.Tensor).SiLU),
	"esp_tensor_softplus":       huge((*torch.Tensor).Softplus),
	"esp_tensor_softmax":        dim(func(x *torch.Tensor, d int) { x.Softmax(d) }),
	"esp_tensor_log_softmax":    dim(func(x *torch.Tensor, d int) { x.LogSoftmax(d) }),
	"esp_tensor_cross_entropy":  does(func(o operands) { o.x.CrossEntropy(o.i) }),
	"esp_tensor_self_attention": does(func(o operands) { torch.SelfAttention(o.x, 5, 1) }),
	"esp_tensor_projected_attention": does(func(o operands) {
		torch.ProjectedAttention(o.x, [3]*torch.Tensor{o.x, o.x, o.x}, nil, nil, 2, 1)
	}),
	"esp_tensor_attention": does(func(o operands) { torch.ScaledDotProductAttention(o.x, o.x, o.i, nil, 1) }),

	// Autograd.
	"esp_inference_begin":          {never: "takes nothing"},
	"esp_autocast_set":             does(func(operands) { torch.Autocast(torch.CPU, torch.Float64, func() {}) }),
	"esp_autocast_clear":           {never: "takes nothing"},
	"esp_tensor_requires_grad":     does(func(o operands) { o.freed.RequiresGrad() }),
	"esp_tensor_requires_grad_set": does(func(o operands) { o.i.SetRequiresGrad(true) }),
	"esp_tensor_backward":          does(func(o operands) { o.x.Sum().Backward() }),
	"esp_tensor_grad":              does(func(o operands) { o.freed.Grad() }),
	"esp_tensor_grad_set":          does(func(o operands) { o.leaf.SetGrad(torch.Ones([]int{2}, torch.Float32, torch.CPU)) }),
	"esp_tensor_hook":              does(func(o operands) { o.x.RegisterHook(func(*torch.Tensor) *torch.Tensor { return nil }) }),
	"esp_tensor_hook_remove":       does(func(operands) { (&torch.Hook{}).Remove() }),
	"esp_accumulator_new":          does(func(o operands) { torch.AccumulateGrad(o.leaf, torch.Fold(99)) }),
	"esp_accumulator_take":         does(takesOutOfRange),
	"esp_accumulator_free":         {never: "the accumulator has its leaf; closing twice does nothing"},
	"esp_tensor_recomputed":        does(func(o operands) { torch.Recompute(func() { torch.Inner(givesNothing, o.leaf) }) }),

	// Optimizers.
	"esp_adamw_step": does(func(o operands) {
		l := func(t *torch.Tensor) []*torch.Tensor { return []*torch.Tensor{t} }
		small, age := torch.Zeros([]int{2}, torch.Float32, torch.CPU), torch.Zeros(nil, torch.Float32, torch.CPU)
		torch.AdamWStep(l(o.leaf), l(small), l(o.x), l(o.x), l(age), 1, 1, .9, .99, 1e-8, 0)
	}),
	"esp_grads_gather": does(func(o operands) { torch.GatherGrads([]*torch.Tensor{o.freed}) }),

	// TorchScript.
	"esp_module_new": {call: func(operands) error {
		_, err := torch.NewModule("", nil)
		return err
	}},
	"esp_module_parameter": {call: func(o operands) error {
		_, err := torch.NewModule("M", map[string]*torch.Tensor{"a b": o.x})
		return err
	}},
	"esp_module_save": {call: func(operands) error {
		m := newModule(nil)
		m.Close()
		return m.Save("m.pt", nil)
	}},
	"esp_module_load": {call: func(operands) error {
		_, err := torch.LoadModule("seam_test.go", torch.CPU)
		return err
	}},
	"esp_module_call":   does(func(operands) { newModule(nil).Call("none") }),
	"esp_trace_begin":   {call: tracing(func(m *torch.Module, x *torch.Tensor) { panics(m.Trace("g", nil, nil)) })},
	"esp_trace_finish":  {call: tracing(func(m *torch.Module, _ *torch.Tensor) { m.Close() })},
	"esp_trace_abandon": {never: "takes nothing"},

	// Recorded programs.
	"esp_program_new": {call: func(o operands) error {
		_, err := torch.NewProgram([]*torch.Tensor{o.i})
		return err
	}},
	"esp_program_is_fresh": does(func(o operands) { newProgram().Fresh([]*torch.Tensor{o.freed}) }),
	"esp_program_begin": {call: recording(func(p *torch.Program, x *torch.Tensor) *torch.Tensor {
		panics(p.Record(torch.Recording{}))
		return x
	})},
	"esp_program_finish": {call: recording(func(_ *torch.Program, x *torch.Tensor) *torch.Tensor { return x.Sqrt() })},
	"esp_program_answer": does(func(o operands) { newProgram().Answer(o.x, &torch.Asked{Counts: []int{0}}) }),
}

func newProgram() *torch.Program {
	p, err := torch.NewProgram(nil)
	panics(err)
	return p
}

// recording is a recording during which f does what it must not.
func recording(f func(p *torch.Program, x *torch.Tensor) *torch.Tensor) func(o operands) error {
	return func(o operands) error {
		p := newProgram()
		defer p.Close()
		return p.Record(torch.Recording{Inputs: []*torch.Tensor{o.x}, Forward: func(in, _ []*torch.Tensor) (*torch.Tensor, []*torch.Tensor) {
			return f(p, in[0]), nil
		}})
	}
}

func hookThatGives(f func(o operands) *torch.Tensor) func(operands) error {
	return func(o operands) error {
		o.leaf.RegisterHook(func(*torch.Tensor) *torch.Tensor { return f(o) })
		o.leaf.Sum().Backward()
		return nil
	}
}

func givesNothing(*torch.Scope, []*torch.Tensor) *torch.Tensor { return nil }

func takesOutOfRange(o operands) {
	a := torch.AccumulateGrad(o.leaf, torch.FoldTaylor)
	defer a.Close()
	a.Take(-1)
}

// tracing is a trace during which f does what it must not.
func tracing(f func(m *torch.Module, x *torch.Tensor)) func(o operands) error {
	return func(o operands) error {
		m := newModule(nil)
		defer m.Close()
		return m.Trace("f", []torch.Input{input("x", o.x)}, func(in []torch.Operand) []torch.Operand {
			y := in[0].Tensor.MulScalar(2)
			f(m, y)
			return torch.Operands(y)
		})
	}
}

func panics(err error) {
	if err != nil {
		panic(err)
	}
}
