package config

import (
	"fmt"
	"strings"
)

// unknownText names a key of the table of a path and, in this order of luck: a similar key beside it, the table that it belongs
// to, or the keys that the table has.
func unknownText(key, path string, known []string) string {
	text := fmt.Sprintf("unknown key %q", short(key))
	switch near, home := nearest(key, known), homeOf(key, path); {
	case near != "":
		text += fmt.Sprintf(" (did you mean %q?)", near)
	case home != "":
		text += fmt.Sprintf(" (it belongs in %s)", home)
	case len(known) > 0:
		text += " (known here: " + strings.Join(known, ", ") + ")"
	}
	return text
}

// homeOf is the table that does know a key, as a TOML file would write it: one within the table where the key
// stands, or else the only one there is.
func homeOf(key, path string) string {
	here := strings.Split(path, "[")[0]
	if dot := strings.Index(path, "]."); dot >= 0 {
		here += path[dot+1:]
	}
	var within, all []string
	for _, k := range Keys() {
		if k.Name != key || k.Table == here {
			continue
		}
		all = append(all, k.heading())
		if here != "" && strings.HasPrefix(k.Table, here+".") {
			within = append(within, k.heading())
		}
	}
	switch {
	case len(within) == 1:
		return within[0]
	case len(all) == 1:
		return all[0]
	}
	return ""
}

// nearest is the candidate that a slip of the fingers away gives word, or nothing.
func nearest(word string, candidates []string) string {
	best, bound := "", 1+len(word)/4
	for _, c := range candidates {
		if d := distance(word, c); d <= bound {
			best, bound = c, d-1
		}
	}
	return best
}

// distance is the number of letters to insert, drop, change, or swap with their neighbour.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
