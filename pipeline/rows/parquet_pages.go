package rows

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds on a page: a header of a few bytes can ask for gigabytes. Beyond cheapPage, a page may be so many times as large as it is in the
// file, which is what deflate can do.
const (
	maxPage   = 1 << 30
	cheapPage = 64 << 20
	mostRatio = 1032
)

// pages calls f with the values of each page of a column in a row group; they are valid until it returns.
func (t *parquetFile) pages(group int, c *parquet.Column, f func([]parquet.Value) error) error {
	if err := t.checkPages(group, c); err != nil {
		return err
	}
	pages := t.RowGroups()[group].ColumnChunks()[c.Index()].Pages()
	defer pages.Close()
	for {
		values, done, err := nextPage(pages)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(values)
			done()
		}
		if err != nil {
			return err
		}
	}
}

// nextPage are the values of the next page, valid until done is called.
func nextPage(pages parquet.Pages) (values []parquet.Value, done func(), err error) {
	page, err := pages.ReadPage()
	if err != nil {
		return nil, nil, err
	}
	values = make([]parquet.Value, page.NumValues())
	n, err := page.Values().ReadValues(values)
	if err != nil && !errors.Is(err, io.EOF) || n < len(values) {
		parquet.Release(page)
		return nil, nil, fmt.Errorf("a page has %d values of %d (%v)", n, len(values), err)
	}
	return values, func() { parquet.Release(page) }, nil
}

// checkPages reads the headers of a column's pages in a row group, before the library takes the memory that they ask for.
func (t *parquetFile) checkPages(group int, c *parquet.Column) error {
	about := t.Metadata().RowGroups[group].Columns[c.Index()].MetaData
	begin := about.DataPageOffset
	if about.DictionaryPageOffset != 0 {
		begin = about.DictionaryPageOffset
	}
	if size := about.TotalCompressedSize; begin < 0 || size < 0 || begin > t.Size() || size > t.Size()-begin {
		return fmt.Errorf("its bytes %d to %d are not in the file, which has %d; write or fetch it again", begin, begin+size, t.Size())
	}
	section := io.NewSectionReader(t.os, begin, about.TotalCompressedSize)
	buffer := bufio.NewReader(section)
	var compact thrift.CompactProtocol
	for {
		buffer.Reset(section)
		var header format.PageHeader
		err := thrift.NewDecoder(compact.NewReader(buffer)).Decode(&header)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the header of a page: %w", err)
		}
		packed, plain := int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
		if packed < 0 || plain < 0 || packed > maxPage || plain > maxPage || plain > cheapPage && plain > mostRatio*packed {
			return fmt.Errorf("a page would have %d bytes, and %d in the file; at most %d are read: write smaller pages or row groups", plain, packed, maxPage)
		}
		at, _ := section.Seek(0, io.SeekCurrent)
		if _, err := section.Seek(at-int64(buffer.Buffered())+packed, io.SeekStart); err != nil {
			return err
		}
	}
}
