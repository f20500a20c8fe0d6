package pipeline

import (
	"fmt"
	"maps"
	"slices"
)

// configTable is one table of run.toml while its keys are visited. Each of its methods names a key: it takes the
// key's value out of `in` when the file gives one, holds it against the rules, and puts the outcome into `out`.
// What nobody has named by the end is an unknown key. Visited with an empty `in`, the same code writes a
// configuration out and checks it.
type configTable struct {
	doc    *document
	path   string // "stage[1].distil"; empty at the root
	prefix string // how faults call the table, where that is not its path: `stage[1] "hidden"`
	rel    string // the path below prefix
	in     map[string]any
	out    map[string]any
	known  []string
}

// table visits a table that is always there, written or not.
func (t *configTable) table(key string) *configTable {
	var in map[string]any
	if value, given := t.take(key); given {
		var ok bool
		if in, ok = value.(map[string]any); !ok {
			t.wrongType(key, "a table", value)
		}
	}
	sub := t.child(key, in)
	t.out[key] = sub.out
	return sub
}

// optional is nil when the table is neither written nor present already.
func (t *configTable) optional(key string, present bool) *configTable {
	if _, given := t.in[key]; !given && !present {
		t.known = append(t.known, key)
		return nil
	}
	return t.table(key)
}

// tables visits [[key]]: as many as the file has, or else n.
func (t *configTable) tables(key string, n int) []*configTable {
	ins := make([]map[string]any, n)
	if value, given := t.take(key); given {
		list, ok := asTables(value)
		if !ok {
			t.wrongType(key, "[["+key+"]] tables", value)
		}
		ins = list
	}
	subs, outs := make([]*configTable, len(ins)), make([]any, len(ins))
	for i, in := range ins {
		subs[i] = t.child(fmt.Sprintf("%s[%d]", key, i), in)
		outs[i] = subs[i].out
	}
	t.out[key] = outs
	return subs
}

// name makes faults of a [[stage]] carry its name beside its index.
func (t *configTable) name(index int, name string) {
	t.prefix, t.rel = fmt.Sprintf("stage[%d]", index), ""
	if name != "" {
		t.prefix += fmt.Sprintf(" %q", name)
	}
}

func (t *configTable) child(key string, in map[string]any) *configTable {
	sub := &configTable{doc: t.doc, path: join(t.path, key), prefix: t.prefix, rel: join(t.rel, key), in: in, out: map[string]any{}}
	t.doc.visited = append(t.doc.visited, sub)
	return sub
}

func (t *configTable) take(key string) (any, bool) {
	t.known = append(t.known, key)
	value, given := t.in[key]
	return value, given
}

// fault reports a value: the key, what is wrong with it, and where it stands.
func (t *configTable) fault(key, format string, args ...any) {
	name := join(t.rel, key)
	if t.prefix != "" {
		name = t.prefix + ": " + name
	}
	t.doc.add(join(t.path, key), name+": "+fmt.Sprintf(format, args...))
}

func (t *configTable) wrongType(key, want string, value any) {
	t.fault(key, "must be %s, not %s", want, describe(value))
}

// asTables takes [[stage]] as the decoder gives it, and stage = [{…}, {…}].
func asTables(value any) ([]map[string]any, bool) {
	switch v := value.(type) {
	case []map[string]any:
		return v, true
	case []any:
		var list []map[string]any
		for _, item := range v {
			table, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			list = append(list, table)
		}
		return list, true
	}
	return nil, false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// unknown lists the keys of a table that no visit named.
func (t *configTable) unknown() []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(t.in)) {
		if !slices.Contains(t.known, key) {
			keys = append(keys, key)
		}
	}
	return keys
}
