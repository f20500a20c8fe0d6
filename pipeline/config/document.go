package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"espalier/pipeline/fault"
)

// document is a TOML text on its way into a Config: where each key stands, and every fault found so far.
type document struct {
	name    string
	lines   map[string]int    // key path → line; see keyLines
	places  map[string]string // key path → the -set that wrote it
	raw     map[string]string // key path → the value's text in that -set
	visited []*table
	faults  []problem
	faulty  map[string]bool
	config  reflect.Value // what is being filled
}

// problem is one line of the report; order puts the file's faults by line before those of the command line.
type problem struct {
	order int
	text  func() string // a line of many may never be shown
}

// ofCommandLine is the order of a -set.
const ofCommandLine = 1 << 30

func newDocument(name string) *document {
	return &document{name: name, places: map[string]string{}, raw: map[string]string{}, faulty: map[string]bool{}}
}

// parseDocument reads the text into plain maps. Decoding into the Config at once would stop at the first wrong
// type, and would match keys regardless of their case.
func parseDocument(name, text string) (*document, map[string]any) {
	doc, root := newDocument(name), map[string]any{}
	lines, err := keyLines(text)
	if err == nil {
		_, err = toml.Decode(text, &root)
	}
	var syntax toml.ParseError
	var limit *limitError
	switch {
	case errors.As(err, &limit):
		doc.report(0, "%s:%d: %s", name, limit.line, limit.text)
	case errors.As(err, &syntax):
		doc.report(0, "%s:%d: %s", name, syntax.Position.Line, short(syntax.Message))
	case err != nil:
		doc.report(0, "%s: %v", name, err)
	}
	doc.lines = lines
	return doc, root
}

// report adds a fault that belongs to no key.
func (d *document) report(order int, format string, args ...any) {
	d.faults = append(d.faults, problem{order, func() string { return fmt.Sprintf(format, args...) }})
}

// visit fills a Config from the tables of a file, checks it, and gives its resolved form.
func (d *document) visit(root map[string]any, c *Config) map[string]any {
	t := &table{doc: d, in: root, out: map[string]any{}}
	d.visited, d.config = append(d.visited, t), reflect.ValueOf(c).Elem()
	t.visit(d.config, schema())
	return t.out
}

// top is the value of a key at the top of the file.
func (d *document) top(name string) reflect.Value {
	return d.config.Field(schema().key(name).field)
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
	d.report(order, "%s: %s", place, text)
}

func (d *document) place(path string) (string, int) {
	for {
		if set, ok := d.places[path]; ok {
			return set, ofCommandLine
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
			d.faults = append(d.faults, problem{order, func() string { return place + ": " + t.called(t.rel, unknownText(key, t.path, t.keys.names())) }})
		}
	}
	d.visited = nil
	slices.SortStableFunc(d.faults, func(a, b problem) int { return a.order - b.order })
	lines := make([]string, len(d.faults))
	for i, f := range d.faults {
		if i < fault.Screen {
			lines[i] = f.text()
		}
	}
	return fault.List(lines)
}
