package checkpoint

import (
	"fmt"
	"strconv"
	"strings"
)

// choose finds the part of a pickled value that the key names: "model", "state/model", "." for the whole. Without a key
// it is the whole, when that is a state dict, or the one nested part with tensors, the optimizer's aside; where several
// are possible, the error lists them.
func choose(top any, key string) (chosen any, where string, err error) {
	if key == "." {
		return top, "", nil
	}
	if key != "" {
		chosen, err = follow(top, key)
		return chosen, key, err
	}
	var path []string
	for depth := 0; depth < maxDepth; depth++ {
		d, ok := top.(*dict)
		if !ok {
			break
		}
		direct, beside, nested, parts := 0, 0, 0, []part(nil)
		c := &counter{seen: map[any]int{}}
		for i, v := range d.values {
			name, named := keyName(d.keys[i])
			if !named {
				continue
			}
			switch n := c.tensors(v, 0); {
			case n == 0:
			case isTensor(v) && !training(name, v):
				direct++
			case isTensor(v):
				beside++
			case training(name, v):
			default:
				nested += n
				parts = append(parts, part{name, n, v})
			}
		}
		if direct > 0 && direct >= nested || nested == 0 && beside > 0 {
			break
		}
		if len(parts) > 1 {
			return nil, "", ambiguous(path, parts, direct)
		}
		if len(parts) == 0 {
			return nil, "", noTensors(top)
		}
		top = parts[0].value
		path = append(path, parts[0].name)
	}
	return top, strings.Join(path, "/"), nil
}

type part struct {
	name  string
	count int
	value any
}

func ambiguous(path []string, parts []part, direct int) error {
	list := make([]string, 0, len(parts))
	for i, p := range parts {
		if i == 10 {
			list = append(list, fmt.Sprintf("and %d more", len(parts)-i))
			break
		}
		list = append(list, fmt.Sprintf("%.100q (%d tensors)", strings.Join(append(path[:len(path):len(path)], p.name), "/"), p.count))
	}
	own := ""
	if direct > 0 {
		own = fmt.Sprintf(" beside %d tensors of its own", direct)
	}
	return fmt.Errorf(`the checkpoint is nested%s: choose a key: %s; or "." for all of it`, own, strings.Join(list, ", "))
}

// noTensors says what there is instead.
func noTensors(v any) error {
	if len(entries(v).keys) == 0 {
		return fmt.Errorf("no tensors: there is %s", kind(v))
	}
	return fmt.Errorf("no tensors but those of the training's state; the keys are %s", keysOf(v))
}

// keysOf lists a container's keys, those of tensors first.
func keysOf(v any) string {
	d, c := entries(v), &counter{seen: map[any]int{}}
	var full, bare []string
	for i, k := range d.keys {
		if len(full)+len(bare) == 12 {
			break
		}
		name, ok := keyName(k)
		n := c.tensors(d.values[i], 0)
		switch {
		case !ok:
		case n > 0:
			full = append(full, fmt.Sprintf("%.100q (%d tensors)", name, n))
		default:
			bare = append(bare, fmt.Sprintf("%.100q", name))
		}
	}
	if more := len(d.keys) - len(full) - len(bare); more > 0 {
		bare = append(bare, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(append(full, bare...), ", ")
}

// follow walks down a path of keys; a key may itself contain slashes.
func follow(v any, key string) (any, error) {
	rest := key
walk:
	for rest != "" {
		d := entries(v)
		for end := len(rest); end > 0; end = strings.LastIndexByte(rest[:end], '/') {
			for i, k := range d.keys {
				if name, ok := keyName(k); ok && name == rest[:end] {
					v, rest = d.values[i], strings.TrimPrefix(rest[end:], "/")
					continue walk
				}
			}
		}
		if len(d.keys) == 0 {
			return nil, fmt.Errorf("no key %q: there is %s", key, kind(v))
		}
		return nil, fmt.Errorf("no key %q: the keys are %s", key, keysOf(v))
	}
	return v, nil
}

// entries are a container's keys and values, to be read; the keys of a list are its indices.
func entries(v any) *dict {
	if d, ok := v.(*dict); ok {
		return d
	}
	all := items(v)
	d := &dict{keys: make([]any, len(all)), values: all}
	for i := range all {
		d.keys[i] = int64(i)
	}
	return d
}

func keyName(key any) (name string, ok bool) {
	switch k := key.(type) {
	case string:
		return k, true
	case int64:
		return strconv.FormatInt(k, 10), true
	}
	return "", false
}

func isContainer(v any) bool {
	switch v.(type) {
	case *dict, *list, tuple:
		return true
	}
	return false
}

func isTensor(v any) bool {
	_, ok := v.(*view)
	return ok
}

// training tells whether a part is an optimizer's, a scheduler's or a random generator's state.
func training(name string, v any) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"optim", "scheduler", "scaler", "rng", "random"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	if d, ok := v.(*dict); ok && len(d.keys) <= 4 {
		groups := false
		for _, k := range d.keys {
			groups = groups || k == any("param_groups")
		}
		return groups
	}
	return false
}

// counter counts tensors, each list and dict once: containers can hold each other over and over.
type counter struct {
	seen   map[any]int
	visits int
}

func (c *counter) tensors(v any, depth int) int {
	if isTensor(v) {
		return 1
	}
	if !isContainer(v) || depth > maxDepth || c.visits > maxVisits {
		return 0
	}
	if n, ok := c.count(v); ok {
		return n
	}
	c.remember(v, 0) // a container within itself adds nothing
	n := 0
	for _, item := range entries(v).values {
		c.visits++
		n = min(n+c.tensors(item, depth+1), 1<<30)
	}
	c.remember(v, n)
	return n
}

func (c *counter) count(v any) (n int, ok bool) {
	if _, isTuple := v.(tuple); isTuple { // no map's key
		return 0, false
	}
	n, ok = c.seen[v]
	return n, ok
}

func (c *counter) remember(v any, n int) {
	if _, isTuple := v.(tuple); !isTuple {
		c.seen[v] = n
	}
}
