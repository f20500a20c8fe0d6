package checkpoint

import (
	"errors"
	"fmt"
	"slices"
)

// build executes the opcodes of containers, classes and calls.
func (p *pickle) build(op byte) error {
	switch op {
	case ']':
		return p.made(&list{}, nil)
	case '}':
		return p.made(&dict{}, nil)
	case 0x8f: // EMPTY_SET
		return p.made(&object{class: "builtins.set"}, nil)
	case ')':
		return p.push(tuple(nil))
	case 't', 'l', 'd', 0x91: // a tuple, list, dict or frozenset of what lies above the mark
		items, err := p.popMark()
		if err != nil {
			return err
		}
		v, err := collect(op, items)
		return p.made(v, err)
	case 0x85, 0x86, 0x87: // TUPLE1 to 3
		items, err := p.popN(int(op-0x85) + 1)
		return p.made(tuple(items), err)
	case 'a', 's': // APPEND, SETITEM
		n := 1
		if op == 's' {
			n = 2
		}
		items, err := p.popN(n)
		if err != nil {
			return err
		}
		return p.fill(op, items)
	case 'e', 'u', 0x90: // APPENDS, SETITEMS, ADDITEMS
		items, err := p.popMark()
		if err != nil {
			return err
		}
		return p.fill(op, items)
	case 'c', 0x93: // GLOBAL, STACK_GLOBAL
		class, err := p.class(op)
		return p.made(class, err)
	case 'R', 0x81, 'b', 'i', 'o', 0x92:
		return p.call(op)
	case 'Q':
		id, err := p.pop()
		if err != nil {
			return err
		}
		v, err := p.persistent(id)
		return p.made(v, err)
	}
	return fmt.Errorf("opcode 0x%02x has no place in a checkpoint", op)
}

func collect(op byte, items []any) (any, error) {
	switch op {
	case 't':
		return tuple(slices.Clone(items)), nil
	case 'l':
		return &list{items: slices.Clone(items)}, nil
	case 'd':
		d := &dict{}
		return d, d.add(items)
	}
	return &object{class: "builtins.frozenset"}, nil
}

// fill adds to the container at the top. Objects that stay closed take what they are given and forget it.
func (p *pickle) fill(op byte, items []any) error {
	v, err := p.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *list:
		if op != 's' && op != 'u' {
			v.items = append(v.items, items...)
			return nil
		}
	case *dict:
		if op == 's' || op == 'u' {
			return v.add(items)
		}
	case *object:
		return nil
	}
	return fmt.Errorf("%s cannot be filled", kind(v))
}

func (d *dict) add(items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a key has no value")
	}
	for i := 0; i < len(items); i += 2 {
		d.keys = append(d.keys, items[i])
		d.values = append(d.values, items[i+1])
	}
	return nil
}

func (p *pickle) class(op byte) (global, error) {
	if op == 'c' || op == 'i' {
		module, err := p.line()
		if err != nil {
			return "", err
		}
		name, err := p.line()
		return global(module) + "." + global(name), err
	}
	names, err := p.popN(2)
	if err != nil {
		return "", err
	}
	module, ok1 := names[0].(string)
	name, ok2 := names[1].(string)
	if !ok1 || !ok2 {
		return "", errors.New("a class without a name")
	}
	return global(module + "." + name), nil
}

// call executes the opcodes that in Python run code: REDUCE, NEWOBJ, NEWOBJ_EX, INST, OBJ and BUILD.
func (p *pickle) call(op byte) error {
	if op == 'b' {
		return p.setState()
	}
	var callable any
	var args any
	var err error
	switch op {
	case 'i', 'o':
		if op == 'i' {
			callable, err = p.class(op)
		}
		var items []any
		if err == nil {
			items, err = p.popMark()
		}
		if err == nil && op == 'o' && len(items) == 0 {
			err = errors.New("a class is missing")
		}
		if err != nil {
			return err
		}
		if op == 'o' {
			callable, items = items[0], items[1:]
		}
		args = tuple(slices.Clone(items))
	default:
		n := 2
		if op == 0x92 { // NEWOBJ_EX has keyword arguments too
			n = 3
		}
		items, err := p.popN(n)
		if err != nil {
			return err
		}
		callable, args = items[0], items[1]
	}
	name, ok := callable.(global)
	if !ok {
		return fmt.Errorf("%s cannot be called", kind(callable))
	}
	t, ok := args.(tuple)
	if !ok {
		return fmt.Errorf("%s is called with %s", name, kind(args))
	}
	v, err := p.reduce(name, t)
	return p.made(v, err)
}

// setState keeps what a closed object is made of; a dict's or a tensor's further attributes (an OrderedDict's _metadata)
// are of no use here.
func (p *pickle) setState() error {
	state, err := p.pop()
	if err != nil {
		return err
	}
	v, err := p.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *object:
		v.state = state
	case *dict, *view:
	default:
		return fmt.Errorf("%s has no state to set", kind(v))
	}
	return nil
}

// popN takes the n topmost values, in a slice of their own.
func (p *pickle) popN(n int) ([]any, error) {
	if n > len(p.stack) {
		return nil, errors.New("a value is missing")
	}
	items := slices.Clone(p.stack[len(p.stack)-n:])
	for _, v := range items {
		if _, ok := v.(mark); ok {
			return nil, errors.New("a value is missing")
		}
	}
	p.stack = p.stack[:len(p.stack)-n]
	return items, nil
}

// kind names a value in messages.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool, int64, float64, long:
		return "a number"
	case string, []byte:
		return "a string"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dict"
	case global:
		return string(v)
	case *object:
		return "a " + string(v.class)
	case *view:
		return "a tensor"
	case *storage:
		return "a storage"
	}
	return fmt.Sprintf("%T", v)
}
