package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Resolved is the configuration with every default filled in, under the keys of run.toml: maps, lists, texts and
// numbers that JSON can hold. Optional keys that were not given are left out.
func (c *Config) Resolved() map[string]any {
	return newDocument("config").visit(nil, c.Clone()) // a clone: a visit fills inherited settings in
}

// Hash identifies what a run would do: SHA-256 over the resolved configuration without the keys that move no result. With
// sections ("seed", "data", "teacher" …), over those top-level keys alone.
func (c *Config) Hash(sections ...string) string {
	all := c.Resolved()
	maps.DeleteFunc(all, func(key string, _ any) bool {
		return isStill(key) || len(sections) > 0 && !slices.Contains(sections, key)
	})
	text, err := json.Marshal(all) // maps are written in the order of their keys
	if err != nil {
		panic(fmt.Sprintf("config: a resolved configuration is not JSON: %v", err)) // only numbers that Check refuses
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// isStill tells of a key at the top of the file whether it is declared as moving no result.
func isStill(name string) bool {
	k := schema().key(name)
	return k != nil && k.still
}

// Difference is a key on which two configurations disagree; "–" stands for a value that is not given.
type Difference struct{ Key, A, B string }

func (d Difference) String() string { return fmt.Sprintf("%s: %s → %s", d.Key, d.A, d.B) }

// Diff lists the keys on which two resolved configurations disagree, in the order of their names. Either may
// have been through JSON. Keys that move no result do not count.
func Diff(a, b map[string]any) []Difference {
	flatA, flatB := map[string]string{}, map[string]string{}
	flatten("", a, flatA)
	flatten("", b, flatB)
	all := maps.Clone(flatA)
	maps.Copy(all, flatB)
	var out []Difference
	for _, key := range slices.Sorted(maps.Keys(all)) {
		va, vb := orDash(flatA, key), orDash(flatB, key)
		if va != vb && !isStill(key) {
			out = append(out, Difference{key, va, vb})
		}
	}
	return out
}

func flatten(path string, value any, into map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		for key, sub := range v {
			flatten(join(path, key), sub, into)
		}
	case []any:
		if len(v) > 0 {
			if _, tables := v[0].(map[string]any); tables {
				for i, sub := range v {
					flatten(fmt.Sprintf("%s[%d]", path, i), sub, into)
				}
				return
			}
		}
		into[path] = jsonText(v)
	default:
		into[path] = jsonText(v)
	}
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

func orDash(m map[string]string, key string) string {
	if v, ok := m[key]; ok {
		return v
	}
	return "–"
}

// FromResolved is the reverse of [Config.Resolved], also for one that has been through JSON, as a report holds it. name is what
// faults call it.
func FromResolved(name string, resolved map[string]any) (*Config, error) {
	root, ok := whole(resolved).(map[string]any)
	if !ok {
		root = map[string]any{}
	}
	doc, c := newDocument(name), Default()
	doc.visit(root, c)
	return c, doc.err()
}

// whole gives numbers the types that TOML's have: JSON has one type for all.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, sub := range v {
			out[key] = whole(sub)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, sub := range v {
			out[i] = whole(sub)
		}
		return out
	case int:
		return int64(v)
	case float64:
		if n := int64(v); float64(n) == v {
			return n
		}
	}
	return v
}
