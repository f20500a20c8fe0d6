package config

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
)

var indexed = regexp.MustCompile(`^([a-z]+)\[(\d+)\]$`)

// override writes one "key=value" of the command line over the file's tables. Whether the key exists and the
// value suits it is reported by the visit that follows, as for the file itself.
func (d *document) override(root map[string]any, set string) {
	where := "-set " + printable(short(set))
	wrong := func(format string, args ...any) {
		d.report(ofCommandLine, "%s: "+format, append([]any{where}, args...)...)
	}
	key, text, ok := strings.Cut(set, "=")
	key, text = strings.TrimSpace(key), strings.TrimSpace(text)
	if !ok || key == "" {
		wrong("an override is key=value, as stage.hidden.distil.steps=400")
		return
	}
	if len(key) > maxDepth*maxKey {
		wrong("the key is longer than %d bytes", maxDepth*maxKey)
		return
	}
	value, err := parseValue(text)
	if err != nil {
		wrong("%v", err)
		return
	}
	parts := splitKey(key)
	if len(parts) > maxDepth {
		wrong("the key has more than %d parts", maxDepth)
		return
	}
	if parts[0] == "stage" && len(parts) < 3 {
		wrong("name a key of the stage, as stage.hidden.cuts=4")
		return
	}
	table, path := root, ""
	if rows, isList := asTables(root[parts[0]]); parts[0] == "stage" || isList && len(parts) > 2 {
		at, err := rowIndex(parts[0], rows, parts[1])
		if err != nil {
			wrong("%v", err)
			return
		}
		table, path, parts = rows[at], fmt.Sprintf("%s[%d]", parts[0], at), parts[2:]
	}
	for _, part := range parts[:len(parts)-1] {
		path = join(path, part)
		sub, given := table[part]
		if !given {
			sub = map[string]any{}
			table[part] = sub
			d.places[path] = where
		}
		next, isTable := sub.(map[string]any)
		if !isTable {
			wrong("%s is %s, not a table", path, describe(sub))
			return
		}
		table = next
	}
	last := parts[len(parts)-1]
	path = join(path, last)
	d.forget(path)
	table[last] = value
	d.places[path], d.raw[path] = where, text
}

// forget drops what was known of a value and of all within it: another takes its place.
func (d *document) forget(path string) {
	within := func(p string) bool {
		rest, ok := strings.CutPrefix(p, path)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	maps.DeleteFunc(d.lines, func(p string, _ int) bool { return within(p) })
	maps.DeleteFunc(d.places, func(p, _ string) bool { return within(p) })
	maps.DeleteFunc(d.raw, func(p, _ string) bool { return within(p) })
}

// printable is a text in quotes where it has letters that would end a line or move the terminal's cursor.
func printable(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}

// splitKey cuts stage[1].distil.steps and stage.1.distil.steps alike.
func splitKey(key string) []string {
	var parts []string
	for _, part := range strings.Split(key, ".") {
		part = strings.TrimSpace(part)
		if m := indexed.FindStringSubmatch(part); m != nil {
			parts = append(parts, m[1], m[2])
			continue
		}
		parts = append(parts, part)
	}
	return parts
}

// rowIndex finds one of the [[stage]] or [[target]] tables by its index, counted from 0 as in faults, or by its name when only
// one has it.
func rowIndex(key string, rows []map[string]any, which string) (int, error) {
	if at, err := strconv.Atoi(which); err == nil {
		if at < 0 || at >= len(rows) {
			return 0, fmt.Errorf("there is no %s[%d]: the file has %d, counted from 0", key, at, len(rows))
		}
		return at, nil
	}
	found, names := []int{}, []string{}
	for i, s := range rows {
		name, _ := s["name"].(string)
		names = append(names, strconv.Quote(name))
		if name == which {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, fmt.Errorf("there is no %s named %q; the %ss are %s", key, short(which), key, short(strings.Join(names, ", ")))
	}
	return 0, fmt.Errorf("%d %ss are named %q: give the index, as %s.%d", len(found), key, short(which), key, found[0])
}

// parseValue reads a value as TOML would, and what is no TOML as the text that it is: device=cpu, keep=33%.
func parseValue(text string) (any, error) {
	line := "value = " + text
	if _, err := keyLines(line); err != nil {
		return nil, err
	}
	var holder map[string]any
	if _, err := toml.Decode(line, &holder); err == nil && len(holder) == 1 {
		return holder["value"], nil
	}
	return text, nil
}
