package rows

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// pictureKeys name a picture's file; the first that is there counts.
var pictureKeys = []string{"file_name", "image", "path"}

const turnsKey = "conversations"

var knownKeys = append([]string{"question", "answer", "answers", "task", "category", turnsKey}, pictureKeys...)

// unknown lists the keys that are none of ours, in order. Published data sets carry all kinds of columns, so they are left alone; only
// one that looks like a slip is an error, since its values would be lost in silence.
func (f fields) unknown() (unknown []string, err error) {
	var slips []string
keys:
	for _, key := range slices.Sorted(maps.Keys(f)) {
		if slices.Contains(knownKeys, key) {
			continue
		}
		for _, known := range knownKeys {
			if !f.says(known) && slip(key, known) {
				slips = append(slips, fmt.Sprintf("unknown key %q (did you mean %q?)", key, known))
				continue keys
			}
		}
		unknown = append(unknown, key)
	}
	if len(slips) > 0 {
		return nil, fmt.Errorf("%s; rename or remove %s", strings.Join(slips, ", "), map[bool]string{true: "it", false: "them"}[len(slips) == 1])
	}
	return unknown, nil
}

// likePicture gives a key that is none of ours and whose text ends as a picture's name does.
func (f fields) likePicture() (key, name string) {
	for _, key := range slices.Sorted(maps.Keys(f)) {
		var text string
		if !slices.Contains(knownKeys, key) && json.Unmarshal(f[key], &text) == nil && slices.Contains(pictureEnds, strings.TrimPrefix(strings.ToLower(path.Ext(text)), ".")) {
			return key, text
		}
	}
	return "", ""
}

// says tells whether a key is there, or another one of its meaning. Questions and answers may be those of a conversation.
func (f fields) says(key string) bool {
	same := []string{key}
	switch {
	case key == "question":
		same = []string{"question", turnsKey}
	case key == "answer" || key == "answers":
		same = []string{"answer", "answers", turnsKey}
	case slices.Contains(pictureKeys, key):
		same = pictureKeys
	}
	return slices.ContainsFunc(same, func(k string) bool { _, there := f[k]; return there })
}

// slip says whether key looks like known misspelt: other case or punctuation, or at most two letters off. Of a short word a letter may be too
// many or too few, but none another one, as in mask and task; and question_id is a number of the question's.
func slip(key, known string) bool {
	key, known = plainKey(key), plainKey(known)
	if key == known+"id" || len(known) < 6 && len(key) == len(known) && key != known {
		return false
	}
	return distance(key, known) <= min(2, len(known)/3)
}

func plainKey(key string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("_- ", r) {
			return -1
		}
		return r
	}, strings.ToLower(key))
}

// numbers tells whether a key that is none of ours says which row it is, and nothing of it.
func numbers(key string) bool {
	plain := plainKey(key)
	return strings.HasSuffix(plain, "id") || plain == "index" || strings.HasPrefix(plain, "unnamed") // what pandas calls its index
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
