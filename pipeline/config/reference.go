package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Key is one key of run.toml, as docs/config.md and tests see it.
type Key struct {
	Table   string // where it stands: "stage.distil"; empty at the top of the file
	Name    string
	Type    string // "whole number", "number", "text" …
	Default string // as TOML writes it; empty where there is none
	Allowed string // the range, the choices, or what the text is
	Doc     string
	Moves   bool // a change of it may change results

	rows bool // Table is written [[stage]]
	key  *key
}

// Path is the key with its tables: "stage.distil.lr".
func (k Key) Path() string { return join(k.Table, k.Name) }

// heading is the key's table as a file writes it.
func (k Key) heading() string {
	switch {
	case k.Table == "":
		return "the top of the file"
	case k.rows:
		return "[[" + k.Table + "]]"
	}
	return "[" + k.Table + "]"
}

// Keys are all keys of run.toml in the order of their declaration, those of a table behind those around it.
func Keys() []Key { return schema().list("", false) }

func (s *section) list(table string, rows bool) (all []Key) {
	for _, k := range s.keys {
		if !k.isTable() && !k.isTables() {
			all = append(all, Key{table, k.name, k.typeName(), k.defaultText(), k.allowed(), k.doc, !k.still, rows, k})
		}
	}
	for _, k := range s.keys {
		if k.sub != nil {
			all = append(all, k.sub.list(join(table, k.name), k.isTables())...)
		}
	}
	return all
}

func (k *key) typeName() string {
	switch {
	case k.of == estimateType:
		return "number or table"
	case k.isCustom():
		return "count or share"
	case k.of.Kind() == reflect.Bool:
		return "true or false"
	case k.of.Kind() == reflect.Slice:
		return "list of texts"
	case k.of.Kind() == reflect.String:
		return "text"
	}
	return unitOf(k.of).short
}

// defaultText is the default as TOML writes it, or where it comes from.
func (k *key) defaultText() string {
	v := k.fallback
	switch {
	case k.required:
		return "must be given"
	case k.optional:
		return ""
	case k.inherit != "":
		return "the run's " + k.inherit
	case k.cpus:
		return "number of CPUs"
	case k.drawn > 0:
		return fmt.Sprintf("%s; %d where drawn", tomlText(v), k.drawn)
	case k.isCustom():
		return `"100%"`
	}
	return tomlText(v)
}

// allowed is what a value may be, beyond its type.
func (k *key) allowed() string {
	switch {
	case k.of == estimateType:
		return estimateAllowed(k)
	case k.isCustom():
		values := k.within.String() + ` or "0.1%" … "100%"`
		if k.choices != nil {
			values = quoted(k.choices) + ", " + values
		}
		return values
	case k.choices != nil:
		return quoted(k.choices)
	case k.form != "":
		return forms[k.form].is
	}
	return k.within.String()
}

func quoted(choices []string) string {
	var out []string
	for _, c := range choices {
		out = append(out, strconv.Quote(c))
	}
	return strings.Join(out, ", ")
}

// tomlText is a value as TOML writes it.
func tomlText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return strconv.Quote(x)
	case Bytes:
		return strconv.Quote(x.String())
	case time.Duration:
		return strconv.Quote(showDuration(x))
	case []string:
		quoted := make([]string, len(x))
		for i, text := range x {
			quoted[i] = strconv.Quote(text)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case float64:
		return floats.show(x)
	default:
		return fmt.Sprint(x)
	}
}

// Reference is docs/config.md: a table of keys for each table of the file.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Keys of run.toml\n\nGenerated from `pipeline/config`. Each key can also be given on the command line: `-set stage.hidden.distil.steps=400`. " +
		"Keys marked † cannot change a result. A commented file with every key is [run.example.toml](run.example.toml).\n")
	table := "-"
	for _, k := range Keys() {
		if k.Table != table {
			table = k.Table
			heading := "The top of the file"
			if table != "" {
				heading = "`" + k.heading() + "`"
			}
			fmt.Fprintf(&b, "\n## %s\n\n%s| key | type | default | may be | what it is |\n|---|---|---|---|---|\n", heading, introduction(table))
		}
		mark := ""
		if !k.Moves {
			mark = " †"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s | %s | %s |\n", k.Name, mark, k.Type, code(k.Default), k.Allowed, k.Doc)
	}
	return b.String()
}

// introduction is the line of help of a table.
func introduction(table string) string {
	doc, s := "", schema()
	for _, name := range strings.Split(table, ".") {
		k := s.key(name)
		if k == nil { // the top of the file
			return ""
		}
		doc, s = k.doc, k.sub
	}
	return strings.ToUpper(doc[:1]) + doc[1:] + ".\n\n"
}

func code(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// Example is a run.toml with every key: those that may be left out with their defaults, and behind # those that go with other
// keys than the ones there.
func Example() string {
	var b strings.Builder
	b.WriteString("# Every key of run.toml, with its default where it has one. docs/config.md says what each may be.\n")
	table := ""
	for _, k := range Keys() {
		line := k.Name + " = " + k.example()
		switch parts := strings.Split(k.Table, "."); {
		case len(parts) == 3 && parts[1] == "keep": // heads and ffn of a tower, which stands there as a share
			line = "# " + parts[2] + "." + line
		case k.Table != table:
			table = k.Table
			fmt.Fprintf(&b, "\n%s\n", k.heading())
			fallthrough
		default:
			if strings.HasPrefix(k.key.example, "#") {
				line = "# " + line
			}
		}
		fmt.Fprintf(&b, "%-32s # %s\n", line, k.Doc)
	}
	return b.String()
}

// example is the value that the example shows.
func (k Key) example() string {
	text := strings.TrimPrefix(k.key.example, "#")
	_, err := strconv.ParseFloat(text, 64)
	switch {
	case k.key.hasExample && k.key.of.Kind() == reflect.Slice:
		return tomlText(reflect.ValueOf([]string{text}))
	case k.key.hasExample && err == nil:
		return text
	case k.key.hasExample:
		return strconv.Quote(text)
	case k.key.inherit != "":
		return tomlText(schema().key(k.key.inherit).fallback)
	case k.key.drawn > 0:
		return strconv.Itoa(k.key.drawn)
	case k.key.cpus:
		return "2"
	}
	return tomlText(k.key.fallback)
}
