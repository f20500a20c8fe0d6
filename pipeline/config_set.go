package pipeline

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

var indexed = regexp.MustCompile(`^([a-z]+)\[(\d+)\]$`)

// override writes one "key=value" of the command line over the file's tables. Whether the key exists and the
// value suits it is reported by the visit that follows, as for the file itself.
func (d *document) override(root map[string]any, set string) {
	place := "-set " + set
	wrong := func(format string, args ...any) {
		d.faults = append(d.faults, fault{1 << 30, place + ": " + fmt.Sprintf(format, args...)})
	}
	key, text, ok := strings.Cut(set, "=")
	key, text = strings.TrimSpace(key), strings.TrimSpace(text)
	if !ok || key == "" {
		wrong("an override is key=value, as stage.hidden.distil.steps=400")
		return
	}
	parts := splitKey(key)
	table, path := root, ""
	for i, part := range parts[:len(parts)-1] {
		if path == "" && part == "stage" && i == 0 {
			at, err := stageIndex(root["stage"], parts[1])
			if err != nil {
				wrong("%v", err)
				return
			}
			stages, _ := asTables(root["stage"])
			table, path = stages[at], fmt.Sprintf("stage[%d]", at)
			continue
		}
		if i == 1 && parts[0] == "stage" {
			continue // the index, already followed
		}
		path = join(path, part)
		sub, given := table[part]
		if !given {
			sub = map[string]any{}
			table[part] = sub
			d.places[path] = place
		}
		next, isTable := sub.(map[string]any)
		if !isTable {
			wrong("%s is %s, not a table", path, describe(sub))
			return
		}
		table = next
	}
	last := parts[len(parts)-1]
	if parts[0] == "stage" && len(parts) < 3 {
		wrong("name a key of the stage, as stage.hidden.cuts=4")
		return
	}
	table[last] = parseValue(text)
	d.places[join(path, last)], d.raw[join(path, last)] = place, text
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

// stageIndex finds a stage by its index, counted from 0 as in faults, or by its name when only one has it.
func stageIndex(value any, which string) (int, error) {
	stages, _ := asTables(value)
	if at, err := strconv.Atoi(which); err == nil {
		if at < 0 || at >= len(stages) {
			return 0, fmt.Errorf("there is no stage[%d]: the file has %d, counted from 0", at, len(stages))
		}
		return at, nil
	}
	found, names := []int{}, []string{}
	for i, s := range stages {
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
		return 0, fmt.Errorf("there is no stage named %q; the stages are %s", which, strings.Join(names, ", "))
	}
	return 0, fmt.Errorf("%d stages are named %q: give the index, as stage.%d", len(found), which, found[0])
}

// parseValue reads a value as TOML would, and what is no TOML as the text that it is: device=cpu, keep=33%.
func parseValue(text string) any {
	var holder map[string]any
	if _, err := toml.Decode("value = "+text, &holder); err == nil && len(holder) == 1 {
		return holder["value"]
	}
	return text
}
