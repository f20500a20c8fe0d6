package checkpoint

import (
	"errors"
	"fmt"
	"strconv"
)

const (
	maxDepth  = 100      // of containers in each other
	maxNames  = 16 << 20 // bytes of all names together
	maxVisits = 64 << 20 // of values in containers, when tensors are counted
)

// flattener gives tensors in nested containers dotted names: "layer.0.weight".
type flattener struct {
	keep    func(*object) func(attribute string) bool // which of an object's tensors count; nil closes objects
	tensors map[string]*view
	open    map[any]bool // the containers around the present one
	spent   int
}

func (f *flattener) add(name string, v any, depth int) error {
	if f.spent += len(name) + 16; f.spent > maxNames {
		return errors.New("containers within containers without end: refused")
	}
	switch c := v.(type) {
	case *view:
		if name == "" {
			name = "0" // a tensor alone, as libtorch's torch::save names it
		}
		if f.tensors[name] != nil {
			return fmt.Errorf("two tensors are called %.200q", name)
		}
		f.tensors[name] = c
		return nil
	case *dict, *list, *object:
		if f.open[v] {
			return fmt.Errorf("%q holds itself", name)
		}
		f.open[v] = true
		defer delete(f.open, v)
	case tuple:
	default:
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("containers are nested more than %d deep", maxDepth)
	}
	if name != "" {
		name += "."
	}
	return f.addItems(name, v, depth)
}

func (f *flattener) addItems(prefix string, v any, depth int) error {
	switch c := v.(type) {
	case *list:
		return f.addList(prefix, c.items, depth)
	case tuple:
		return f.addList(prefix, c, depth)
	case *dict:
		for i, value := range c.values {
			key, ok := keyName(c.keys[i])
			if !ok {
				if isTensor(value) {
					return fmt.Errorf("below %q a tensor has no name but %s", prefix, kind(c.keys[i]))
				}
				continue
			}
			if err := f.addItem(prefix, key, value, depth); err != nil {
				return err
			}
		}
	case *object:
		state, ok := c.state.(*dict)
		if !ok || f.keep == nil {
			return nil
		}
		counts := f.keep(c)
		for i, value := range state.values {
			key, _ := keyName(state.keys[i])
			if counts == nil || isTensor(value) && !counts(key) {
				continue
			}
			if _, child := value.(*object); !child && !isTensor(value) {
				continue
			}
			if err := f.add(prefix+key, value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *flattener) addList(prefix string, items []any, depth int) error {
	for i, item := range items {
		if err := f.addItem(prefix, strconv.Itoa(i), item, depth); err != nil {
			return err
		}
	}
	return nil
}

// addItem makes a name only for what can hold a tensor: training checkpoints have lists of a million numbers.
func (f *flattener) addItem(prefix, key string, v any, depth int) error {
	_, isObject := v.(*object)
	if !isTensor(v) && !isContainer(v) && (!isObject || f.keep == nil) {
		return nil
	}
	return f.add(prefix+key, v, depth+1)
}
