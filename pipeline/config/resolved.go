package config

// Resolved is the configuration with every default filled in, under the keys of run.toml: maps, lists, texts and
// numbers that JSON can hold. Optional keys that were not given are left out.
func (c *Config) Resolved() map[string]any {
	return newDocument("config").visit(nil, c.Clone()) // a clone: a visit fills inherited settings in
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
