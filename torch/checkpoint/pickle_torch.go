package checkpoint

import (
	"fmt"
	"strings"
)

// constructors are the calls that make tensors and containers; whatever else a pickle wants to call is in closed, or refused.
var constructors map[global]func(p *pickle, args tuple) (any, error)

func init() { // not a literal: construct and constructors know each other
	constructors = map[global]func(*pickle, tuple) (any, error){
		"torch._utils._rebuild_tensor":                        rebuildTensor,
		"torch._utils._rebuild_tensor_v2":                     rebuildTensor,
		"torch._utils._rebuild_tensor_v3":                     rebuildTensorV3,
		"torch._utils._rebuild_parameter":                     first,
		"torch._utils._rebuild_parameter_with_state":          first,
		"torch._utils._rebuild_device_tensor_from_cpu_tensor": first,
		"torch.nn.parameter.Parameter":                        first,
		"torch._tensor._rebuild_from_type_v2":                 rebuildFromType,
		"torch._utils._rebuild_qtensor":                       unreadable("a quantized tensor"),
		"torch._utils._rebuild_sparse_tensor":                 unreadable("a sparse tensor"),
		"torch._utils._rebuild_nested_tensor":                 unreadable("a nested tensor"),
		"torch._utils._rebuild_meta_tensor_no_storage":        unreadable("a tensor without data (device meta)"),
		"torch._utils._rebuild_wrapper_subclass":              unreadable("a tensor of a Python subclass"),
		"torch._utils._rebuild_device_tensor_from_numpy":      unreadable("a tensor of another device"),
		"collections.OrderedDict":                             pairs,
		"collections.defaultdict":                             func(*pickle, tuple) (any, error) { return &dict{}, nil },
		"torch.Size":                                          first,
		"torch.jit._pickle.restore_type_tag":                  first,
		"torch.jit._pickle.build_tensorlist":                  first,
		"torch.jit._pickle.build_intlist":                     first,
		"torch.jit._pickle.build_doublelist":                  first,
		"torch.jit._pickle.build_boollist":                    first,
	}
}

// closed are data classes that training checkpoints hold beside tensors. Their values are passed over.
var closed = func() map[global]bool {
	m := map[global]bool{}
	for module, names := range map[string]string{
		"torch":                                "device Generator",
		"torch.serialization":                  "_get_layout",
		"argparse":                             "Namespace",
		"types":                                "SimpleNamespace",
		"_codecs":                              "encode",
		"__builtin__":                          "set frozenset bytearray bytes complex slice xrange range object",
		"builtins":                             "set frozenset bytearray bytes complex slice range object",
		"collections":                          "Counter deque",
		"pathlib":                              "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
		"pathlib._local":                       "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
		"datetime":                             "datetime date time timedelta timezone",
		"decimal":                              "Decimal",
		"fractions":                            "Fraction",
		"uuid":                                 "UUID",
		"numpy":                                "dtype ndarray",
		"numpy.core.multiarray":                "scalar _reconstruct",
		"numpy._core.multiarray":               "scalar _reconstruct",
		"numpy.random._pickle":                 "__generator_ctor __bit_generator_ctor __randomstate_ctor",
		"numpy.random":                         "__RandomState_ctor",
		"omegaconf.dictconfig":                 "DictConfig",
		"omegaconf.listconfig":                 "ListConfig",
		"omegaconf.base":                       "ContainerMetadata Metadata Container Node",
		"omegaconf.nodes":                      "AnyNode StringNode IntegerNode FloatNode BooleanNode BytesNode PathNode EnumNode ValueNode",
		"easydict":                             "EasyDict",
		"addict.addict":                        "Dict",
		"yacs.config":                          "CfgNode",
		"fvcore.common.config":                 "CfgNode",
		"detectron2.config.config":             "CfgNode",
		"mmengine.config.config":               "ConfigDict",
		"mmcv.utils.config":                    "ConfigDict",
		"lightning_fabric.utilities.data":      "AttributeDict",
		"lightning.fabric.utilities.data":      "AttributeDict",
		"pytorch_lightning.utilities.parsing":  "AttributeDict",
		"lightning.pytorch.utilities.parsing":  "AttributeDict",
		"pytorch_lightning.utilities.argparse": "Namespace",
	} {
		for _, n := range strings.Fields(names) {
			m[global(module+"."+n)] = true
		}
	}
	return m
}()

// construct answers a call of the pickle's without running anything.
func (p *pickle) construct(callable global, args tuple) (any, error) {
	if c, ok := constructors[callable]; ok {
		v, err := c(p, args)
		if err != nil {
			err = fmt.Errorf("%s: %w", callable, err)
		}
		return v, err
	}
	if callable == "copyreg._reconstructor" || callable == "copy_reg._reconstructor" { // protocol 1's NEWOBJ
		if class, ok := argument[global](args, 0); ok {
			return p.construct(class, nil)
		}
	}
	if closed[callable] || strings.HasPrefix(string(callable), "__torch__.") {
		return &object{class: callable}, nil
	}
	return nil, fmt.Errorf("the file wants to call %s, which is refused: no code of a checkpoint is run; "+
		"in Python, save the state_dict alone: torch.save(model.state_dict(), path)", callable)
}

func argument[T any](args tuple, i int) (v T, ok bool) {
	if i < len(args) {
		v, ok = args[i].(T)
	}
	return v, ok
}

func first(_ *pickle, args tuple) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("called without a value")
	}
	return args[0], nil
}

// pairs is Python 2's OrderedDict([[key, value], …]), and today's OrderedDict().
func pairs(_ *pickle, args tuple) (any, error) {
	d := &dict{}
	if len(args) == 0 {
		return d, nil
	}
	if other, ok := args[0].(*dict); ok {
		return &dict{keys: other.keys, values: other.values}, nil
	}
	for _, item := range items(args[0]) {
		if pair := items(item); len(pair) != 2 || d.add(pair) != nil {
			return nil, fmt.Errorf("not a list of pairs")
		}
	}
	return d, nil
}

// items are a list's or a tuple's elements; nil for all else.
func items(v any) []any {
	switch v := v.(type) {
	case *list:
		return v.items
	case tuple:
		return v
	}
	return nil
}

func unreadable(what string) func(*pickle, tuple) (any, error) {
	return func(*pickle, tuple) (any, error) { return &view{element: element{dtype: -1}, fault: what}, nil }
}

// rebuildTensor takes (storage, offset, shape, strides, requires_grad, hooks, metadata), of which the first version of
// the format has four.
func rebuildTensor(_ *pickle, args tuple) (any, error) {
	s, ok1 := argument[*storage](args, 0)
	offset, ok2 := argument[int64](args, 1)
	shape, ok3 := integers(args, 2)
	strides, ok4 := integers(args, 3)
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(strides) {
		return nil, fmt.Errorf("needs a storage, an offset, a shape and as many strides")
	}
	v := &view{storage: s, element: s.element, offset: offset, strides: strides}
	for _, n := range shape {
		v.shape = append(v.shape, int(n))
	}
	if metadata, ok := argument[*dict](args, 6); ok && len(metadata.keys) > 0 {
		v.fault = "a tensor whose conjugate or negative is still to be taken (in Python: resolve_conj().resolve_neg())"
	}
	return v, nil
}

// rebuildTensorV3 names the elements' type, the storage being of mere bytes.
func rebuildTensorV3(p *pickle, args tuple) (any, error) {
	t, err := rebuildTensor(p, args)
	if err != nil {
		return nil, err
	}
	name, _ := argument[global](args, 6)
	v := t.(*view)
	v.fault = ""
	v.element = elements[strings.TrimPrefix(string(name), "torch.")]
	if v.element.name == "" {
		v.storage, v.element, v.fault = nil, element{dtype: -1}, fmt.Sprintf("a tensor of %s", name)
	}
	return v, nil
}

// rebuildFromType takes (function, class, arguments, state).
func rebuildFromType(p *pickle, args tuple) (any, error) {
	callable, ok1 := argument[global](args, 0)
	inner, ok2 := argument[tuple](args, 2)
	if !ok1 || !ok2 || callable == "torch._tensor._rebuild_from_type_v2" {
		return nil, fmt.Errorf("needs a function and its arguments")
	}
	return p.construct(callable, inner)
}

func integers(args tuple, i int) ([]int64, bool) {
	if i >= len(args) {
		return nil, false
	}
	values := items(args[i])
	out := make([]int64, len(values))
	for k, v := range values {
		n, ok := v.(int64)
		if !ok {
			return nil, false
		}
		out[k] = n
	}
	_, isTuple := args[i].(tuple)
	_, isList := args[i].(*list)
	return out, (isTuple || isList) && len(out) <= maxDims
}
