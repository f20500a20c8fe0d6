package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// table is one table of run.toml while its keys are visited: each key's value comes out of in when the file gives one, is held
// against what the key declares, and goes into the struct and into out. Visited with an empty in, the same code checks a
// configuration and writes it out.
type table struct {
	doc    *document
	up     *table
	keys   *section
	owner  any    // the struct that it fills, as *StageConfig
	index  int    // in [[stage]]
	path   string // "stage[1].distil"; empty at the root
	prefix string // how faults call the table, where that is not its path: `stage[1] "hidden"`
	rel    string // the path below prefix
	in     map[string]any
	out    map[string]any
}

// checked is a struct whose keys depend on each other.
type checked interface{ check(t *table) }

// visit reads, checks and writes all keys of a struct.
func (t *table) visit(v reflect.Value, s *section) {
	t.keys, t.owner = s, v.Addr().Interface()
	for _, k := range s.keys {
		t.key(k, v.Field(k.field))
		if t.isRow() && k.name == "name" {
			t.prefix += fmt.Sprintf(" %q", short(v.Field(k.field).String()))
			t.prefix = strings.TrimSuffix(t.prefix, ` ""`)
		}
	}
	if c, ok := t.owner.(checked); ok {
		c.check(t)
	}
}

func (t *table) isRow() bool { return t.path == t.prefix && t.prefix != "" }

func (t *table) key(k *key, v reflect.Value) {
	_, given := t.in[k.name]
	if k.optional {
		if !given && v.IsNil() {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(k.of))
			if k.sub != nil {
				k.sub.fill(v.Elem())
			}
		}
		v = v.Elem()
	}
	switch {
	case k.isTables():
		t.tables(k, v)
	case k.isTable():
		t.table(k.name).visit(v, k.sub)
	case k.isCustom():
		v.Addr().Interface().(custom).visit(t, k)
	default:
		t.value(k, v)
	}
}

// table visits a table that is always there, written or not.
func (t *table) table(key string) *table {
	var in map[string]any
	if value, given := t.in[key]; given {
		var ok bool
		if in, ok = value.(map[string]any); !ok {
			t.wrongType(key, "a table", value)
		}
	}
	sub := t.child(key, in)
	t.out[key] = sub.out
	return sub
}

// tables visits [[key]]: as many as the file has, or else those that the list holds.
func (t *table) tables(k *key, list reflect.Value) {
	ins := make([]map[string]any, list.Len())
	if value, given := t.in[k.name]; given {
		var ok bool
		if ins, ok = asTables(value); !ok {
			t.wrongType(k.name, "[["+k.name+"]] tables", value)
		}
	}
	if most := int(k.within.high); len(ins) > most {
		t.fault(k.name, "there are %d [[%s]], more than %d", len(ins), k.name, most)
		ins = nil
	}
	for list.Len() < len(ins) {
		row := reflect.New(k.of.Elem()).Elem()
		k.sub.fill(row)
		list.Set(reflect.Append(list, row))
	}
	outs := make([]any, len(ins))
	for i, in := range ins {
		sub := t.child(fmt.Sprintf("%s[%d]", k.name, i), in)
		sub.index, sub.prefix, sub.rel = i, sub.path, ""
		outs[i] = sub.out
		sub.visit(list.Index(i), k.sub)
	}
	t.out[k.name] = outs
}

func (t *table) child(key string, in map[string]any) *table {
	sub := &table{doc: t.doc, up: t, path: join(t.path, key), prefix: t.prefix, rel: join(t.rel, key), in: in, out: map[string]any{}}
	t.doc.visited = append(t.doc.visited, sub)
	return sub
}

// fault reports a value: the key, what is wrong with it, and where it stands.
func (t *table) fault(key, format string, args ...any) {
	t.doc.add(join(t.path, key), t.called(join(t.rel, key), fmt.Sprintf(format, args...)))
}

// called puts the name of a key and of its table before a text.
func (t *table) called(key, text string) string {
	if key != "" {
		text = key + ": " + text
	}
	if t.prefix != "" {
		text = t.prefix + ": " + text
	}
	return text
}

func (t *table) wrongType(key, want string, value any) {
	t.fault(key, "%v", wrongType(want, value))
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

// unknown lists the keys of a table that no struct declares.
func (t *table) unknown() []string {
	known := t.keys.names()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(t.in)), func(key string) bool { return slices.Contains(known, key) })
}
