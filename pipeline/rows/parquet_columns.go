package rows

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// values are what a column says in each row of a row group: texts and numbers, lists of them, or of structs.
func (t *parquetFile) values(group int, c *parquet.Column) ([]any, error) {
	if c.Leaf() && !c.Repeated() {
		cells, err := t.leaf(group, c)
		if err != nil {
			return nil, err
		}
		values := make([]any, len(cells))
		for i, v := range cells {
			values[i] = v[0].said
		}
		return values, nil
	}
	list := c // the repeated group, or leaf, within the column
	for !list.Repeated() {
		if len(list.Columns()) != 1 {
			return nil, errors.New("a struct; write a text, or a list of texts")
		}
		list = list.Columns()[0]
	}
	item := list
	for len(item.Columns()) == 1 { // the middle level of a list
		item = item.Columns()[0]
	}
	if item.Leaf() {
		return t.lists(group, list, []*parquet.Column{item}, func(said []any) any { return said[0] })
	}
	leaves := slices.DeleteFunc(slices.Clone(item.Columns()), func(c *parquet.Column) bool { return !c.Leaf() })
	return t.lists(group, list, leaves, func(said []any) any {
		object := map[string]any{}
		for i, c := range leaves {
			object[c.Name()] = said[i]
		}
		return object
	})
}

// lists puts a list column together from its leaves, which have an entry for each of its items.
func (t *parquetFile) lists(group int, list *parquet.Column, leaves []*parquet.Column, item func(said []any) any) ([]any, error) {
	var columns [][][]entry
	for _, c := range leaves {
		if c.MaxRepetitionLevel() != 1 {
			return nil, errors.New("a list within a list; write a list of texts")
		}
		cells, err := t.leaf(group, c)
		if err != nil {
			return nil, err
		}
		if columns = append(columns, cells); len(cells) != len(columns[0]) {
			return nil, errors.New("the parts of its lists have different numbers of rows; write the file again")
		}
	}
	if len(columns) == 0 {
		return nil, errors.New("a list of nothing that is read; write a list of texts")
	}
	values := make([]any, len(columns[0]))
	for row := range values {
		first := columns[0][row]
		if len(first) == 1 && first[0].level < list.MaxDefinitionLevel() { // null, or without items
			continue
		}
		items := make([]any, len(first))
		for k := range first {
			said := make([]any, len(columns))
			for i, cells := range columns {
				if len(cells[row]) != len(first) {
					return nil, errors.New("the parts of its lists have different lengths; write the file again")
				}
				said[i] = cells[row][k].said
			}
			items[k] = item(said)
		}
		values[row] = items
	}
	return values, nil
}

// entry is a value of a leaf, as JSON has it, and its definition level.
type entry struct {
	said  any
	level int
}

// leaf are the entries of each row of a row group.
func (t *parquetFile) leaf(group int, c *parquet.Column) (cells [][]entry, err error) {
	total := 0
	err = t.pages(group, c, func(values []parquet.Value) error {
		for _, v := range values {
			said, size := plain(v)
			if total += size; total > maxTexts<<4 {
				return fmt.Errorf("more than %d bytes of text; write smaller row groups", maxTexts<<4)
			}
			if v.RepetitionLevel() == 0 {
				cells = append(cells, nil)
			}
			if len(cells) == 0 {
				return errors.New("its first value continues a row")
			}
			last := &cells[len(cells)-1]
			*last = append(*last, entry{said, v.DefinitionLevel()})
		}
		return nil
	})
	return cells, err
}

// plain is a value as JSON has it, and its size in bytes.
func plain(v parquet.Value) (said any, size int) {
	if v.IsNull() {
		return nil, 0
	}
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean(), 1
	case parquet.Int32:
		return v.Int32(), 4
	case parquet.Int64:
		return v.Int64(), 8
	case parquet.Float:
		return v.Float(), 4
	case parquet.Double:
		return v.Double(), 8
	}
	text := string(v.ByteArray())
	if !utf8.ValidString(text) {
		return noText{}, len(text)
	}
	return text, len(text)
}

// noText are bytes where a text should be.
type noText struct{}

// MarshalJSON says so: such a row is at fault.
func (noText) MarshalJSON() ([]byte, error) {
	return nil, errors.New("not UTF-8; write texts as strings")
}
