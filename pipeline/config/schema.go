package config

import (
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// section is the keys of one struct of keys.go, as their tags declare them.
type section struct{ keys []*key }

// key is one field with a toml tag.
type key struct {
	name, doc  string
	field      int
	of         reflect.Type // of the value; of a pointer, what it points to
	optional   bool         // a pointer, nil where the key is not given
	required   bool         // it has no default
	fallback   reflect.Value
	cpus       bool // its default is the number of CPUs
	inherit    string
	drawn      int
	within     bounds
	choices    []string
	form       string
	example    string
	hasExample bool
	still      bool     // it moves no result
	single     bool     // one of its [[tables]] may be written as a [table]
	sub        *section // the keys of a table
}

// custom is a type that reads, checks and writes itself.
type custom interface{ visit(t *table, k *key) }

var (
	customType = reflect.TypeFor[custom]()
	schema     = sync.OnceValue(func() *section { return sectionOf(reflect.TypeFor[Config]()) })
)

func sectionOf(of reflect.Type) *section {
	s := &section{}
	for i := range of.NumField() {
		if f := of.Field(i); f.Tag.Get("toml") != "" {
			s.keys = append(s.keys, keyOf(i, f))
		}
	}
	return s
}

// keyOf panics on a tag that makes no sense: it is part of the program.
func keyOf(i int, f reflect.StructField) *key {
	k := &key{name: f.Tag.Get("toml"), doc: f.Tag.Get("doc"), field: i, of: f.Type, inherit: f.Tag.Get("inherit"),
		form: f.Tag.Get("form"), still: f.Tag.Get("moves") == "no", single: f.Tag.Get("single") == "yes", within: everything}
	k.example, k.hasExample = f.Tag.Lookup("example")
	if k.of.Kind() == reflect.Pointer {
		k.of, k.optional = k.of.Elem(), true
	}
	inner := k.of
	if k.isTables() {
		inner = k.of.Elem()
	}
	if inner.Kind() == reflect.Struct {
		if s := sectionOf(inner); len(s.keys) > 0 {
			k.sub = s
		}
	}
	if choices := f.Tag.Get("choices"); choices != "" {
		k.choices = strings.Split(choices, ",")
	}
	var err error
	if text := f.Tag.Get("range"); text != "" {
		if k.within, err = parseBounds(text, unitOf(k.of)); err != nil {
			panic(fmt.Sprintf("config: %s: range: %v", f.Name, err))
		}
	}
	if text := f.Tag.Get("drawn"); text != "" {
		if k.drawn, err = strconv.Atoi(text); err != nil {
			panic(fmt.Sprintf("config: %s: drawn: %v", f.Name, err))
		}
	}
	text, given := f.Tag.Lookup("default")
	k.cpus = text == "cpus"
	k.required = !given && !k.optional && k.inherit == "" && k.of.Kind() == reflect.String
	if k.fallback = reflect.Zero(f.Type); given {
		if k.fallback, err = k.parseDefault(text); err != nil {
			panic(fmt.Sprintf("config: %s: default: %v", f.Name, err))
		}
	}
	return k
}

// key is the key of that name, or nil.
func (s *section) key(name string) *key {
	for _, k := range s.keys {
		if k.name == name {
			return k
		}
	}
	return nil
}

// names are those of the keys; of a table of the wrong kind, which has no section, there are none.
func (s *section) names() (names []string) {
	if s == nil {
		return nil
	}
	for _, k := range s.keys {
		names = append(names, k.name)
	}
	return names
}

func (k *key) isTable() bool { return k.sub != nil && !k.isTables() && !k.isCustom() }

func (k *key) isTables() bool {
	return k.of.Kind() == reflect.Slice && k.of.Elem().Kind() == reflect.Struct
}

func (k *key) isCustom() bool { return reflect.PointerTo(k.of).Implements(customType) }

func (k *key) parseDefault(text string) (reflect.Value, error) {
	v := reflect.New(k.of).Elem()
	switch u := unitOf(k.of); {
	case k.cpus:
		v.SetInt(int64(min(runtime.NumCPU(), int(k.within.high))))
	case k.of.Kind() == reflect.Bool:
		v.SetBool(text == "true")
	case k.of.Kind() == reflect.String:
		v.SetString(text)
	default:
		n, err := u.parse(text)
		if err != nil {
			return v, err
		}
		setNumber(v, n)
	}
	return v, nil
}

// setNumber puts a number into a field of either kind of number.
func setNumber(v reflect.Value, n float64) {
	if v.Kind() == reflect.Float64 {
		v.SetFloat(n)
		return
	}
	v.SetInt(int64(n))
}

// fill sets each key of a struct to its default; optional tables stay nil, and there are no [[tables]].
func (s *section) fill(v reflect.Value) {
	for _, k := range s.keys {
		if f := v.Field(k.field); k.isTable() && !k.optional {
			k.sub.fill(f)
		} else {
			f.Set(k.fallback)
		}
	}
}

// filled is a struct of keys with its defaults.
func filled[T any]() *T {
	var out T
	sectionOf(reflect.TypeFor[T]()).fill(reflect.ValueOf(&out).Elem())
	return &out
}
