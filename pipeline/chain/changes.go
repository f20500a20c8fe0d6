package chain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// changes lists what differs between two readable inputs, as "lr: 0.002 → 0.001". Of contents it says that they changed,
// and of results of earlier steps nothing: they follow from something else.
func changes(old, now any) (out []string) {
	compare("", plain(old), plain(now), &out)
	return out
}

// plain is a readable value as JSON gives it back.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if decode(text, &out) != nil {
		return v
	}
	return out
}

// decode reads JSON with its numbers as they stand there: a seed of 64 bits is no float64.
func decode(text []byte, into any) error {
	if !json.Valid(text) { // a decoder reads no further than the end of the value
		return json.Unmarshal(text, into)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

func compare(path string, old, now any, out *[]string) {
	a, isA := old.(map[string]any)
	b, isB := now.(map[string]any)
	if isA && isB {
		if marked(a, printKey) || marked(b, printKey) {
			if !equalJSON(a, b) {
				*out = append(*out, path+" changed")
			}
			return
		}
		if marked(a, resultKey) && marked(b, resultKey) {
			return
		}
		keys := maps.Clone(a)
		maps.Copy(keys, b)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			compare(strings.TrimPrefix(path+"."+key, "."), a[key], b[key], out)
		}
		return
	}
	if !equalJSON(old, now) {
		*out = append(*out, fmt.Sprintf("%s: %s → %s", path, short(old), short(now)))
	}
}

func marked(m map[string]any, key string) bool {
	_, ok := m[key]
	return ok && len(m) == 1
}

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// short is a value that fits into a line.
func short(v any) string {
	if v == nil {
		return "–"
	}
	text, _ := json.Marshal(v)
	const most = 40
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(text)
}
