package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/parquet-go/parquet-go"

	"espalier/model/image"
)

// cell is a picture in a row of a Parquet file.
type cell struct {
	file       *parquetFile
	group, row int
}

func (c cell) String() string {
	return fmt.Sprintf("%s: row group %d, row %d", c.file.path, c.group, c.row)
}

// Sum reads the picture.
func (c cell) Sum(Sums) (string, error) { return sumOf(c) }

// Check looks at its header and its end.
func (c cell) Check() error { return checkBytes(c) }

// Read reads the picture.
func (c cell) Read() (data []byte, err error) {
	err = caught(func() (err error) {
		data, err = c.file.cells.read(c)
		return err
	})
	if err == nil {
		data, err = image.ReadAt(bytes.NewReader(data), int64(len(data)))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	return data, nil
}

// cells reads pictures out of their pages. It holds the last pages, so that pictures about in the order of their rows, as several goroutines ask
// for them, cost one pass over the file. For others a row group is read from its beginning; Hugging Face's have a hundred pictures.
type cells struct {
	mu    sync.Mutex
	pages parquet.Pages // nil: none is open
	group int           // that is open
	row   int           // of it, behind the pages that were read
	held  []heldPage    // the last ones, also of other row groups
	bytes int           // of their pictures
	opens int           // row groups that were begun with
}

// heldPage are the values of a page, valid until done is called.
type heldPage struct {
	group, from, bytes int // row of the first value; of all pictures
	values             []parquet.Value
	done               func()
}

// holdBytes is how many bytes of pictures are held besides those of the last page.
const holdBytes = 64 << 20

func (s *cells) read(c cell) ([]byte, error) {
	s.mu.Lock()
	whole := false
	defer func() {
		if !whole { // a panic, too, leaves nothing to go on with
			s.pages, s.held, s.bytes = nil, nil, 0
		}
		s.mu.Unlock()
	}()
	page := s.find(c)
	if page == nil && (s.pages == nil || s.group != c.group || c.row < s.row) {
		if err := s.open(c); err != nil {
			return nil, err
		}
	}
	for page == nil {
		if err := s.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the row group has fewer pictures than rows; write the file again")
			}
			return nil, err
		}
		page = s.find(c)
	}
	whole = true
	v := page.values[c.row-page.from]
	if v.IsNull() {
		return nil, errors.New("the picture has no bytes (null); put the bytes themselves into the file")
	}
	return bytes.Clone(v.ByteArray()), nil
}

// find gives the page of a picture where it is held.
func (s *cells) find(c cell) *heldPage {
	for i := range s.held {
		if p := &s.held[i]; p.group == c.group && p.from <= c.row && c.row < p.from+len(p.values) {
			return p
		}
	}
	return nil
}

// open begins with a row group.
func (s *cells) open(c cell) error {
	if s.pages != nil {
		for c.group == s.group+1 && s.next() == nil { // who goes on in order may have come before others who ask for the end of this group
		}
		s.pages.Close()
		s.pages = nil
	}
	if err := c.file.checkPages(c.group, c.file.picture); err != nil {
		return err
	}
	s.pages, s.group, s.row = c.file.RowGroups()[c.group].ColumnChunks()[c.file.picture.Index()].Pages(), c.group, 0
	s.opens++
	return nil
}

// next reads a page, and lets go of the first ones where more is held than there may be.
func (s *cells) next() (err error) {
	p := heldPage{group: s.group, from: s.row}
	if p.values, p.done, err = nextPage(s.pages); err != nil {
		return err
	}
	for _, v := range p.values {
		p.bytes += len(v.ByteArray())
	}
	s.row += len(p.values)
	s.held, s.bytes = append(s.held, p), s.bytes+p.bytes
	for s.bytes-p.bytes > holdBytes {
		s.held[0].done()
		s.bytes -= s.held[0].bytes
		s.held = s.held[1:]
	}
	return nil
}
