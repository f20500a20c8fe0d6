package rows

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"espalier/torch/disk"
)

// maxFooter is the most bytes of a Parquet file's description of itself.
const maxFooter = 64 << 20

// parquetFile is an open Parquet file. Pictures keep it open as long as they may be read.
type parquetFile struct {
	*parquet.File
	path    string
	os      *os.File
	picture *parquet.Column // of the pictures' bytes; nil: there are none

	cells cells
}

// readParquet reads a Parquet file as Hugging Face writes them: a column image with the struct {bytes, path}, or with the bytes alone, and
// columns of the names that other forms have, whose texts may be in lists. Row groups and rows count from 0, as in pyarrow.
func readParquet(r *reader) {
	var t *parquetFile
	err := caught(func() (err error) {
		t, err = openParquet(r.path)
		return err
	})
	if err != nil {
		r.broken(r.path, "cannot be read as Parquet (%v)", err)
		return
	}
	named := fields{}
	for _, c := range t.Root().Columns() {
		named[c.Name()] = json.RawMessage("null")
	}
	unknown, err := named.unknown()
	if err != nil {
		r.broken(r.path, "%v", err)
		return
	}
	if !named.says("question") && !named.says(turnsKey) {
		r.broken(r.path, "no column %q among %s; add it", "question", strings.Join(slices.Sorted(maps.Keys(named)), ", "))
		return
	}
	pictured := t.picture != nil || named.says(pictureKeys[0])
	if err := caught(func() error { return r.seekColumns(t, unknown, pictured) }); err != nil {
		r.broken(r.path, "cannot be read (%v)", err)
		return
	}
	for group := range t.RowGroups() {
		place := fmt.Sprintf("%s: row group %d", r.path, group)
		var all []fields
		err := caught(func() (err error) {
			all, err = t.fields(group)
			return err
		})
		if err != nil {
			r.broken(place, "cannot be read (%v)", err)
			continue
		}
		for i, f := range all {
			var picture Picture
			if t.picture != nil {
				picture = cell{t, group, i}
			}
			at := fmt.Sprintf("%s, row %d", place, i)
			switch wrong := f[faultKey]; {
			case wrong != nil:
				r.fault(at, "%s", wrong)
			case absent(f[turnsKey]):
				r.add(at, f, picture)
			default:
				r.conversation(f, nil, func(int) string { return at }, picture)
			}
		}
	}
}

// caught turns a panic of the library on a file that is not as it should be into an error.
func caught(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return do()
}

func openParquet(path string) (*parquetFile, error) {
	f, info, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	t := &parquetFile{path: path, os: f}
	if err := t.open(info.Size()); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *parquetFile) open(size int64) (err error) {
	end := make([]byte, 8)
	if _, err := t.os.ReadAt(end, max(0, size-8)); err != nil || string(end[4:]) != "PAR1" {
		return errors.New("it does not end as Parquet files do; write or fetch it again")
	}
	if n := int64(binary.LittleEndian.Uint32(end)); n > min(size, maxFooter) {
		return fmt.Errorf("its footer would have %d bytes, at most %d are read", n, min(size, maxFooter))
	}
	t.File, err = parquet.OpenFile(t.os, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	return t.findPicture()
}

// findPicture finds the column of the pictures' bytes.
func (t *parquetFile) findPicture() error {
	c := t.Root().Column("image")
	if c == nil || isText(c) { // the names of files
		return nil
	}
	if !c.Leaf() {
		c = c.Column("bytes")
	}
	if c == nil || !c.Leaf() || c.MaxRepetitionLevel() > 0 || c.Type().Kind() != parquet.ByteArray {
		return errors.New(`the column "image" holds no bytes; write a struct {bytes, path} or the bytes themselves, one picture a row`)
	}
	t.picture = c
	return nil
}

func isText(c *parquet.Column) bool {
	return c.Leaf() && c.Type().Kind() == parquet.ByteArray && c.Type().String() == parquet.String().Type().String()
}

// seekColumns looks for answers, and for pictures where the file has none, in columns of other names, which are not read.
func (r *reader) seekColumns(t *parquetFile, unknown []string, pictured bool) error {
	for _, name := range unknown {
		c := t.Root().Column(name)
		if c.Leaf() {
			r.seekAnswer(r.path, fields{name: json.RawMessage("null")})
		}
		if pictured || r.likePicture != "" {
			continue
		}
		bytes := c
		if !c.Leaf() {
			bytes = c.Column("bytes")
		}
		switch {
		case bytes != nil && bytes.Leaf() && bytes.Type().Kind() == parquet.ByteArray && !isText(bytes):
			r.likePicture, r.likeAt = fmt.Sprintf("the column %q holds bytes; rename it to %q", name, "image"), r.path
		case isText(c) && !c.Repeated() && len(t.RowGroups()) > 0:
			values, err := t.values(0, c)
			if err != nil {
				return fmt.Errorf("column %q: %w", name, err)
			}
			if len(values) > 0 {
				raw, _ := json.Marshal(values[0]) // what is no text names no picture
				r.seekPicture(fmt.Sprintf("%s: row group 0, row 0", r.path), fields{name: raw})
			}
		}
	}
	return nil
}

// faultKey holds what is wrong with a row's texts.
const faultKey = "\x00fault"

// fields are those of a row group's rows. Columns of other names are not read.
func (t *parquetFile) fields(group int) ([]fields, error) {
	var all []fields
	for at, c := range t.known() {
		values, err := t.values(group, c)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name(), err)
		}
		if at == 0 {
			all = make([]fields, len(values))
			for i := range all {
				all[i] = fields{}
			}
		}
		if len(values) != len(all) {
			return nil, fmt.Errorf("column %q has %d rows, another one %d; write the file again", c.Name(), len(values), len(all))
		}
		for i, v := range values {
			raw, err := json.Marshal(v)
			var wrong *json.MarshalerError
			switch {
			case all[i][faultKey] != nil:
			case isNumber(v):
				all[i][faultKey] = json.RawMessage(fmt.Sprintf("%q is %s and no text; write the column as strings", c.Name(), raw))
			case errors.As(err, &wrong):
				all[i][faultKey] = json.RawMessage(fmt.Sprintf("%q is %v", c.Name(), wrong.Err))
			case err != nil:
				all[i][faultKey] = json.RawMessage(fmt.Sprintf("%q: %v", c.Name(), err))
			case len(raw) > maxRow:
				all[i][faultKey] = json.RawMessage(fmt.Sprintf("%q has %d bytes, at most %d are read; is this one question?", c.Name(), len(raw), maxRow))
			default:
				all[i].set(c.Name(), raw)
			}
		}
	}
	return all, nil
}

func isNumber(v any) bool {
	switch v.(type) {
	case bool, int32, int64, float32, float64:
		return true
	}
	return false
}

// known are the columns that are read for their texts.
func (t *parquetFile) known() (out []*parquet.Column) {
	for _, c := range t.Root().Columns() {
		if slices.Contains(knownKeys, c.Name()) && (t.picture == nil || !slices.Contains(pictureKeys, c.Name())) {
			out = append(out, c)
		}
	}
	return out
}
