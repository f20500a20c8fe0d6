package page

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// settings writes a run's resolved configuration as its file would have it.
func settings(config map[string]any) string {
	var out strings.Builder
	writeTable(&out, "", config)
	return strings.TrimSpace(out.String())
}

// writeTable writes the plain keys of a table, then the tables in it.
func writeTable(out *strings.Builder, path string, table map[string]any) {
	var inner []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if tablesOf(table[key]) != nil {
			inner = append(inner, key)
			continue
		}
		fmt.Fprintf(out, "%s = %s\n", key, literal(table[key]))
	}
	for _, key := range inner {
		head, list := strings.TrimPrefix(path+"."+key, "."), "[%s]"
		if _, several := table[key].([]any); several {
			list = "[[%s]]"
		}
		for _, t := range tablesOf(table[key]) {
			fmt.Fprintf(out, "\n"+list+"\n", head)
			writeTable(out, head, t)
		}
	}
}

// tablesOf is a value as the tables that it consists of; nil where it is none.
func tablesOf(v any) (out []map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		return []map[string]any{v}
	case []any:
		for _, e := range v {
			t, is := e.(map[string]any)
			if !is {
				return nil
			}
			out = append(out, t)
		}
	}
	return out
}

func literal(v any) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(out.String())
}

func versions(of map[string]string) (out [][2]string) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, [2]string{name, of[name]})
	}
	return out
}
