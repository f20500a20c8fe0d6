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

// cells reads pictures out of their pages. It holds the page at hand, so that pictures in the order of their rows cost one pass over the
// file. For others a row group is read from its beginning; Hugging Face's have a hundred pictures.
type cells struct {
	mu     sync.Mutex
	pages  parquet.Pages // nil: none is open
	group  int
	from   int // row of the first value at hand
	values []parquet.Value
	done   func()
}

func (s *cells) read(c cell) ([]byte, error) {
	s.mu.Lock()
	whole := false
	defer func() {
		if !whole { // a panic, too, leaves nothing to go on with
			s.pages, s.values, s.done = nil, nil, nil
		}
		s.mu.Unlock()
	}()
	if s.pages == nil || s.group != c.group || c.row < s.from {
		if err := s.open(c); err != nil {
			return nil, err
		}
	}
	for c.row >= s.from+len(s.values) {
		if err := s.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the row group has fewer pictures than rows; write the file again")
			}
			return nil, err
		}
	}
	whole = true
	v := s.values[c.row-s.from]
	if v.IsNull() {
		return nil, errors.New("the picture has no bytes (null); put the bytes themselves into the file")
	}
	return bytes.Clone(v.ByteArray()), nil
}

// open begins with a row group.
func (s *cells) open(c cell) error {
	s.close()
	if err := c.file.checkPages(c.group, c.file.picture); err != nil {
		return err
	}
	s.pages, s.group, s.from = c.file.RowGroups()[c.group].ColumnChunks()[c.file.picture.Index()].Pages(), c.group, 0
	return nil
}

func (s *cells) next() (err error) {
	s.from += len(s.values)
	s.release()
	s.values, s.done, err = nextPage(s.pages)
	return err
}

func (s *cells) release() {
	if s.done != nil {
		s.done()
	}
	s.values, s.done = nil, nil
}

func (s *cells) close() {
	s.release()
	if s.pages != nil {
		s.pages.Close()
		s.pages = nil
	}
}
