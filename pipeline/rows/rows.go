// Package rows reads the files of a data set: questions about pictures, in five forms, which all become the same rows. It reads
// texts and finds out where pictures lie; it decodes none.
package rows

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Row is one question about a picture.
type Row struct {
	Question, Task, Category string
	Answers                  []string // the accepted ones; the first is the one to learn; empty: none was given
	Picture                  Picture  // nil: the question is about none
	Place                    string   // where it is written, for errors: file and line; shard and member; table, row group and row
}

// Picture is where a picture lies. Two that are equal are the same one, and goroutines may share it.
type Picture interface {
	fmt.Stringer                 // the place, for errors
	Read() ([]byte, error)       // its bytes, which are not of any number
	Check() error                // whether it can be decoded, as far as its header and its end tell
	Sum(of Sums) (string, error) // the SHA-256 of its bytes, in hexadecimal
}

// Sums is the SHA-256 of a file's content, in hexadecimal. It may know it without reading the file.
type Sums func(path string) (string, error)

// Faults takes what is wrong with a data set. Each text says what to do about it.
type Faults interface {
	Add(place, format string, args ...any) // with a file, or with all of it from a place on
	Row(place, format string, args ...any) // with one row, which may be left out
}

// Form is how a file says its rows.
type Form string

// The forms. Lines are the metadata.jsonl of Hugging Face's image folders; List is the JSON list of LLaVA's conversations; any form
// but Table may hold conversations as well.
const (
	Lines   Form = "JSON lines"
	Table   Form = "CSV table"
	List    Form = "JSON list"
	Shards  Form = "tar shards"
	Parquet Form = "Parquet files"
)

// Source is where the rows of a split are written.
type Source struct {
	Form  Form
	Files []string // one; of shards and Parquet, one after another
}

// String names it for errors: its file, or the first of several.
func (s Source) String() string {
	if n := len(s.Files); n > 1 {
		return fmt.Sprintf("%s and %d more", s.Files[0], n-1)
	}
	return s.Files[0]
}

// readers read a file of a form.
var readers = map[Form]func(*reader){Lines: readLines, Table: readTable, List: readList, Shards: readShard, Parquet: readParquet}

// Read gives all rows of a source, in order. Where answers are needed, a row without one is a fault.
func (s Source) Read(needAnswers bool, bad Faults) []Row {
	r := &reader{needAnswers: needAnswers, bad: bad}
	for _, path := range s.Files {
		r.path, r.likePicture = path, ""
		before := r.seen
		readers[s.Form](r)
		if r.likePicture != "" && !r.pictured {
			bad.Add(r.likeAt, "no row names a picture, but %s", r.likePicture)
		}
		if r.seen == before {
			bad.Add(path, "holds no rows; fill it, or remove it")
		}
	}
	if r.likeAnswer != "" && !r.answered { // never drop labels in silence
		bad.Add(r.answerAt, `no row has an "answer", but there is %q; rename it to "answer" if it is that, else remove it`, r.likeAnswer)
	}
	return r.rows
}

// reader gathers the rows of a source's files.
type reader struct {
	path        string // of the file at hand
	needAnswers bool
	bad         Faults
	rows        []Row
	seen        int // rows and faults

	pictured    bool   // a row names a picture
	likePicture string // what of the file seems to name or be one under another name, and what to do, in words
	likeAt      string

	answered             bool   // a row has an answer
	likeAnswer, answerAt string // the first key that may be one under another name
}

func (r *reader) fault(place, format string, args ...any) {
	r.seen++
	r.bad.Row(place, format, args...)
}

// broken is a fault that leaves all of the file from a place on unread.
func (r *reader) broken(place, format string, args ...any) {
	r.seen++
	r.bad.Add(place, format, args...)
}

// at is a line of the file at hand.
func (r *reader) at(line int) string { return fmt.Sprintf("%s:%d", r.path, line) }

// add takes one question: its fields, and its picture where the form holds that beside them. Otherwise a field names it.
func (r *reader) add(place string, f fields, picture Picture) {
	row, name, err := f.row(r.needAnswers)
	bad := said{err}
	if name != "" || picture != nil {
		r.pictured = true
	} else if err == nil { // a key that is misspelt is told already
		r.seekPicture(place, f)
	}
	if len(row.Answers) > 0 {
		r.answered = true
	} else if err == nil {
		r.seekAnswer(place, f)
	}
	if picture == nil && name != "" {
		switch {
		case filepath.IsAbs(name):
			bad.add(fmt.Errorf("file_name %q is absolute; give it relative to the folder of this file", name))
		case strings.Contains(name, "://"):
			bad.add(fmt.Errorf("file_name %q is an address; fetch the picture, and name its file relative to the folder of this file", name))
		default:
			picture = File(filepath.Join(filepath.Dir(r.path), name))
		}
	}
	if row.Question != "" {
		row.Question, err = withoutPlaceholder(row.Question, picture != nil || name != "")
		bad.add(err)
	}
	if err := bad.err(); err != nil {
		r.fault(place, "%v", err)
		return
	}
	r.seen++
	row.Place, row.Picture = place, picture
	r.rows = append(r.rows, row)
}

// seekPicture looks for a picture's name under another key.
func (r *reader) seekPicture(place string, f fields) {
	if key, text := f.likePicture(); key != "" && r.likePicture == "" {
		r.likePicture, r.likeAt = fmt.Sprintf("%q is %q; rename the key to %q", key, text, pictureKeys[0]), place
	}
}

// seekAnswer looks for what may be an answer under another key.
func (r *reader) seekAnswer(place string, f fields) {
	if r.answered || r.likeAnswer != "" {
		return
	}
	unknown, _ := f.unknown()
	if unknown = slices.DeleteFunc(unknown, numbers); len(unknown) > 0 {
		r.likeAnswer, r.answerAt = unknown[0], place
	}
}

// Pictures are the pictures of some rows, each once, in order of first appearance.
func Pictures(all []Row) (out []Picture) {
	seen := map[Picture]bool{}
	for _, r := range all {
		if r.Picture != nil && !seen[r.Picture] {
			seen[r.Picture] = true
			out = append(out, r.Picture)
		}
	}
	return slices.Clip(out)
}
