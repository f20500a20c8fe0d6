package data

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

var metadataKeys = []string{"file_name", "question", "answer", "task", "category"}

// unknownKeys lists the keys that are none of ours, in order. Published data sets carry all kinds of columns, so
// they are left alone; only one that looks like a slip is an error, since its values would be lost in silence.
func unknownKeys(fields map[string]json.RawMessage) ([]string, error) {
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(metadataKeys, key) {
			continue
		}
		for _, known := range metadataKeys {
			if _, there := fields[known]; !there && slip(key, known) {
				return nil, fmt.Errorf("unknown key %q (did you mean %q?); rename or remove it", key, known)
			}
		}
		unknown = append(unknown, key)
	}
	return unknown, nil
}

// slip says whether key looks like known misspelt: other case or punctuation, or at most two letters off.
func slip(key, known string) bool {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("_- ", r) {
				return -1
			}
			return r
		}, strings.ToLower(s))
	}
	key, known = plain(key), plain(known)
	return distance(key, known) <= min(2, len(known)/3)
}

// distance is Levenshtein's: the letters to put in, leave out or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
