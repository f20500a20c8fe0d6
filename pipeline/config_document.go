package pipeline

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// document is a TOML text on its way into a Config: where each key stands, and every fault found so far.
type document struct {
	name    string
	lines   map[string]int    // key path → line; see keyLines
	places  map[string]string // key path → the -set that wrote it
	raw     map[string]string // key path → the value's text in that -set
	visited []*configTable
	faults  []fault
	faulty  map[string]bool
}

// fault is one line of the report; order puts the file's faults by line before those of the command line.
type fault struct {
	order int
	text  string
}

func newDocument(name string) *document {
	return &document{name: name, places: map[string]string{}, raw: map[string]string{}, faulty: map[string]bool{}}
}

// parseDocument reads the text into plain maps. Decoding into the Config at once would stop at the first wrong
// type, and would match keys regardless of their case.
func parseDocument(name, text string) (*document, map[string]any) {
	doc, root := newDocument(name), map[string]any{}
	if _, err := toml.Decode(text, &root); err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			doc.faults = append(doc.faults, fault{text: fmt.Sprintf("%s:%d: %s", name, at.Position.Line, at.Message)})
		} else {
			doc.faults = append(doc.faults, fault{text: fmt.Sprintf("%s: %v", name, err)})
		}
		return doc, nil
	}
	doc.lines = keyLines(text)
	return doc, root
}

// table starts a visit at the root.
func (d *document) table(root map[string]any) *configTable {
	t := &configTable{doc: d, in: root, out: map[string]any{}}
	d.visited = append(d.visited, t)
	return t
}

// add reports a fault at a key, or at the nearest table around it when the key itself is not written. A key that
// is already at fault, or holds one that is, stays with its first one: what follows from it is noise.
func (d *document) add(path, text string) {
	for known := range d.faulty {
		if known == path || strings.HasPrefix(known, path+".") {
			return
		}
	}
	d.faulty[path] = true
	place, order := d.place(path)
	d.faults = append(d.faults, fault{order, place + ": " + text})
}

func (d *document) place(path string) (string, int) {
	for {
		if set, ok := d.places[path]; ok {
			return set, 1 << 30
		}
		if line, ok := d.lines[path]; ok {
			return fmt.Sprintf("%s:%d", d.name, line), line
		}
		cut := strings.LastIndex(path, ".")
		if cut < 0 {
			return d.name, 0
		}
		path = path[:cut]
	}
}

// err is all faults, one a line, or nil.
func (d *document) err() error {
	for _, t := range d.visited {
		for _, key := range t.unknown() {
			place, order := d.place(join(t.path, key))
			d.faults = append(d.faults, fault{order, place + ": " + t.unknownText(key)})
		}
	}
	d.visited = nil
	if len(d.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(d.faults, func(a, b fault) int { return a.order - b.order })
	lines := make([]string, len(d.faults))
	for i, f := range d.faults {
		lines[i] = f.text
	}
	return &InputError{errors.New(strings.Join(lines, "\n"))}
}

// unknownText names the key and, in this order of luck: a similar key beside it, the table that it belongs to,
// or the keys that there are.
func (t *configTable) unknownText(key string) string {
	text := fmt.Sprintf("unknown key %q", key)
	if table := strings.TrimPrefix(t.rel, "."); table != "" {
		text = table + ": " + text
	}
	if t.prefix != "" {
		text = t.prefix + ": " + text
	}
	if near := nearest(key, t.known); near != "" {
		return text + fmt.Sprintf(" (did you mean %q?)", near)
	}
	if home := homeOf(key, t.path); home != "" {
		return text + fmt.Sprintf(" (it belongs in %s)", home)
	}
	if len(t.known) == 0 {
		return text
	}
	return text + " (known here: " + strings.Join(t.known, ", ") + ")"
}

// homeOf is the table that does know a key, as a TOML file would write it: one within the table where the key
// stands, or else the only one there is.
func homeOf(key, path string) string {
	doc := newDocument("")
	c := Default()
	c.Teacher.Train, c.Stages = DefaultTrain(), []StageConfig{DefaultStage()}
	c.visit(doc.table(nil))
	here := anyStage.ReplaceAllString(path, "stage")
	var within, all []string
	for _, t := range doc.visited {
		table := anyStage.ReplaceAllString(t.path, "stage")
		if table == here || !slices.Contains(t.known, key) {
			continue
		}
		name := "[" + table + "]"
		switch table {
		case "":
			name = "the top of the file"
		case "stage":
			name = "[[stage]]"
		}
		all = append(all, name)
		if here != "" && strings.HasPrefix(table, here+".") {
			within = append(within, name)
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

var anyStage = regexp.MustCompile(`^stage\[\d+\]`)

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
