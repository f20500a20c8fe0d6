package rows

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// readTable reads a CSV table whose first line names the columns. An empty cell says nothing.
func readTable(r *reader) {
	data, ok := r.text()
	if !ok {
		return
	}
	c := csv.NewReader(bytes.NewReader(data))
	c.FieldsPerRecord, c.ReuseRecord, c.Comma = -1, true, separator(data)
	head, err := c.Read()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			tableFault(r, err)
		}
		return
	}
	head = slices.Clone(head)
	for i, name := range head {
		head[i] = strings.TrimSpace(name)
		if head[i] != "" && slices.Contains(head[:i], head[i]) {
			r.broken(r.at(1), "two columns are named %q; rename or remove one", head[i])
			return
		}
	}
	columns := fields{}
	for _, name := range head {
		if name != "" {
			columns[name] = textField(name)
		}
	}
	if _, err := columns.unknown(); err != nil {
		r.broken(r.at(1), "%s", strings.ReplaceAll(err.Error(), "unknown key", "unknown column"))
		return
	}
	if columns["question"] == nil {
		r.broken(r.at(1), `no column "question" among %s; the first line must name the columns`, strings.Join(head, ", "))
		return
	}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			tableFault(r, err)
			continue
		}
		line, _ := c.FieldPos(0)
		f, err := cellFields(head, cells)
		if err != nil {
			r.fault(r.at(line), "%v", err)
			continue
		}
		if f["question"] == nil { // an empty cell, not a missing column
			f["question"] = textField("")
		}
		r.add(r.at(line), f, nil)
	}
}

// tableFault tells of a row that is no row of a table. The reader goes on behind it.
func tableFault(r *reader, err error) {
	var wrong *csv.ParseError
	if !errors.As(err, &wrong) {
		r.broken(r.path, "cannot be read (%v)", err)
		return
	}
	r.fault(r.at(wrong.StartLine), `malformed CSV (%v); put cells with quotation marks, separators or line ends in quotation marks, and double those within`, wrong.Err)
}

func cellFields(head, cells []string) (fields, error) {
	if len(cells) != len(head) {
		return nil, fmt.Errorf("the row has %d cells, the first line names %d columns; a cell with a separator in it must stand in quotation marks", len(cells), len(head))
	}
	f, size := fields{}, 0
	for i, cell := range cells {
		if size += len(cell); size > maxRow {
			return nil, fmt.Errorf("the row has more than %d bytes; is this one question?", maxRow)
		}
		if !utf8.ValidString(cell) {
			return nil, errors.New("not UTF-8; save the file in that encoding")
		}
		if head[i] != "" && cell != "" {
			f[head[i]] = textField(cell)
		}
	}
	return f, nil
}

// separator is what stands between the columns' names: programs write semicolons where numbers have commas, and tabs.
func separator(data []byte) rune {
	head, _, _ := bytes.Cut(data, []byte("\n"))
	for _, c := range ",;\t" {
		if bytes.ContainsRune(head, c) {
			return c
		}
	}
	return ','
}

func textField(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil { // a string is always marshalled
		panic(err)
	}
	return raw
}
