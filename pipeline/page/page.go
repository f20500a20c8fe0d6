// Package page writes what people read of a run: report.html, one file that opens without a network, and answers.jsonl. Both are a function of
// the run's report.json, of what its chain has kept, and of the pictures of the test split: written when a run ends, and again from its folder at
// any time.
package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"path/filepath"

	"espalier/pipeline/data"
	"espalier/pipeline/report"
	"espalier/torch/disk"
)

// Name is the page's file in a run's folder.
const Name = "report.html"

// MostBytes is how large the page may be; the gallery shows fewer pictures where it would be larger.
const MostBytes = 3e6

//go:embed page.html tables.html gallery.html cuts.html page.css page.js
var files embed.FS

var layout = template.Must(template.ParseFS(files, "*.html"))

// Write writes the page of a finished run into the run's folder, and its answers. Without the data set, nil, the page has no gallery, and the
// answers stay as they are. What could not be shown is told in notes.
func Write(folder string, set *data.Dataset) (notes []string, err error) {
	r, err := report.Read(filepath.Join(folder, "report.json"))
	if err != nil {
		return nil, err
	}
	k := keptOf(folder)
	var lines []Answered
	test, unknown := k.testOf(r, set)
	unwritten := unknown
	if unwritten == nil { // before the gallery shortens the texts that it shows
		lines, unwritten = answeredOf(r, k, set, test)
	}
	v, notes := viewOf(folder, r, k, set, test, unknown)
	text, err := render(v)
	if err != nil {
		return notes, fmt.Errorf("page: %w", err)
	}
	if err := disk.Write(filepath.Join(folder, Name), text); err != nil {
		return notes, err
	}
	if unwritten != nil {
		return append(notes, fmt.Sprintf("%s is not written: %v", AnswersName, unwritten)), nil
	}
	return notes, writeAnswers(folder, lines)
}

func render(v *view) ([]byte, error) {
	var out bytes.Buffer
	err := layout.ExecuteTemplate(&out, "page.html", v)
	return out.Bytes(), err
}

func file(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is in the binary
	}
	return string(text)
}
