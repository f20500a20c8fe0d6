package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"espalier/torch/textfile"
)

// text reads a file that grows with the data.
func (r *reader) text() (data []byte, ok bool) {
	data, err := textfile.ReadLong(r.path)
	switch {
	case err != nil:
		r.broken(r.path, "cannot be read (%v)", err)
	case bytes.IndexByte(data[:min(len(data), 4)], 0) >= 0:
		r.broken(r.path, "the file holds zero bytes, as UTF-16 without its mark does; save it as UTF-8")
	default:
		return data, true
	}
	return nil, false
}

// readLines reads an object a line.
func readLines(r *reader) {
	data, ok := r.text()
	if !ok {
		return
	}
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if place := r.at(line); len(bytes.TrimSpace(text)) > 0 {
			r.object(text, func(int) string { return place }, nil)
		}
	}
}

// readList reads a list of objects.
func readList(r *reader) {
	data, ok := r.text()
	if !ok {
		return
	}
	line := lineOf(data)
	r.objects(data, func(offset int) string { return r.at(line(offset)) }, nil)
}

// objects reads a list of objects; at is the place of an offset in the text.
func (r *reader) objects(text []byte, at func(offset int) string, picture Picture) {
	offset, err := elements(text, func(raw []byte, offset int) {
		r.object(raw, func(inside int) string { return at(offset + inside) }, picture)
	})
	if err != nil {
		r.broken(at(offset), "malformed JSON (%v); the file is read no further: mend it, or write one object a line into a .jsonl file", err)
	}
}

// object reads a question, or a conversation with several.
func (r *reader) object(raw []byte, at func(offset int) string, picture Picture) {
	if len(raw) > maxRow {
		r.fault(at(0), "the row has %d bytes, at most %d are read; is this one question?", len(raw), maxRow)
		return
	}
	f, err := parseFields(raw)
	if err != nil {
		r.fault(at(0), "%v", err)
		return
	}
	if picture != nil {
		f.without(pictureKeys...) // they name another file, as it was before it went into the shard
	}
	if absent(f[turnsKey]) {
		r.add(at(0), f, picture)
		return
	}
	r.conversation(f, offsetsIn(raw, turnsKey), at, picture)
}

func (f fields) without(keys ...string) {
	for _, key := range keys {
		delete(f, key)
	}
}

var errNoList = errors.New("not a list: it must begin with [")

// elements calls f with each element of a JSON list and its offset. The error's offset is where the list stops making sense.
func elements(data []byte, f func(raw []byte, offset int)) (offset int, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return 0, errNoList
	}
	for first := true; d.More(); first = false {
		from := int(d.InputOffset())
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return faultIn(data, from, first, err)
		}
		f(raw, int(d.InputOffset())-len(raw))
	}
	from := int(d.InputOffset())
	if _, err := d.Token(); err != nil {
		return faultIn(data, from, false, err)
	}
	from = int(d.InputOffset())
	if rest := bytes.TrimLeft(data[from:], space); len(rest) > 0 {
		return len(data) - len(rest), errors.New("there is more behind the end of the list")
	}
	return 0, nil
}

const space = " \t\r\n"

// faultIn finds the place of an error behind the element of a list that ends at an offset, or behind the list's beginning where the first one is
// wrong: a decoder's own place counts from where it likes.
func faultIn(data []byte, from int, first bool, err error) (offset int, _ error) {
	rest := bytes.TrimLeft(data[from:], space)
	if !first && len(rest) > 0 {
		behind, comma := bytes.CutPrefix(rest, []byte(","))
		if !comma {
			return len(data) - len(rest), errors.New("a comma is missing before this")
		}
		rest = bytes.TrimLeft(behind, space)
	}
	at := len(data) - len(rest)
	switch {
	case len(rest) == 0:
		return len(data), errors.New("the list does not end: a ] is missing")
	case rest[0] == ',' || rest[0] == ']':
		return at, errors.New("a comma without a value; remove it")
	}
	var syntax *json.SyntaxError
	var ignored json.RawMessage
	if e := json.Unmarshal(rest, &ignored); errors.As(e, &syntax) {
		return at + max(0, int(syntax.Offset)-1), e
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return at, err
}

// lineOf counts lines, from 1, for offsets that mostly ascend.
func lineOf(data []byte) func(offset int) int {
	at, line := 0, 1
	return func(offset int) int {
		if offset < at {
			line -= bytes.Count(data[offset:at], []byte("\n"))
		} else {
			line += bytes.Count(data[at:offset], []byte("\n"))
		}
		at = offset
		return line
	}
}
