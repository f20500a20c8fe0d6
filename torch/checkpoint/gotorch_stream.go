package checkpoint

import (
	"errors"
	"fmt"
)

// gobStringID is the number that every gob gives the type string.
const gobStringID = 6

// gobKinds are the fields of encoding/gob's wireType, which defines a type of the stream.
var gobKinds = []string{"", "array", "slice", "struct", "map", "type with GobEncode", "type with MarshalBinary", "type with MarshalText"}

const (
	gobKindMap     = 4
	gobKindEncoder = 5
)

// gobType is a type that the stream defines.
type gobType struct {
	kind      int // a place in gobKinds
	key, elem int64
}

// isGob tells whether a file that begins so may be a gob of a type of its own: gob has no magic number, but begins with the
// definition of a type, and those of the stream are counted from 64 on. A safetensors file can begin like that by chance:
// look for the other formats first.
func isGob(head []byte) bool {
	c := gobCursor{head}
	if _, err := c.uint(); err != nil {
		return false
	}
	id, err := c.int()
	if err != nil || id > -64 {
		return false
	}
	kind, err := c.uint()
	return err == nil && kind >= 1 && kind < uint64(len(gobKinds))
}

// gobMap calls each for every entry of the one value in a gob stream, which must be a map of strings to values that
// encode themselves (https://pkg.go.dev/encoding/gob#hdr-Encoding_Details). Everything it passes on lies in the stream.
func gobMap(stream []byte, each func(key string, value []byte) error) error {
	types := map[int64]gobType{}
	for in := (gobCursor{stream}); ; {
		body, err := in.bytes()
		if err != nil {
			return fmt.Errorf("not a gob file, or cut short: %w", err)
		}
		m := gobCursor{body}
		id, err := m.int()
		if err != nil {
			return fmt.Errorf("not a gob file: %w", err)
		}
		if id < 0 {
			t, err := m.wireType()
			if err != nil {
				return fmt.Errorf("not a gob file: the definition of type %d: %w", -id, err)
			}
			types[-id] = t
			continue
		}
		if len(in.rest) > 0 {
			return fmt.Errorf("the file goes on for %d bytes after its first value; a gotorch checkpoint holds one", len(in.rest))
		}
		t := types[id]
		if t.kind != gobKindMap || t.key != gobStringID || types[t.elem].kind != gobKindEncoder {
			return fmt.Errorf("the gob holds %s, not a map of names to tensors; save module.StateDict() with encoding/gob", t.describe())
		}
		if err := m.entries(each); err != nil {
			return fmt.Errorf("the map of tensors: %w", err)
		}
		return nil
	}
}

func (t gobType) describe() string {
	switch t.kind {
	case 0:
		return "a plain value"
	case gobKindMap:
		return "another map"
	}
	return "a " + gobKinds[t.kind]
}

// gobCursor reads what is left of a message.
type gobCursor struct{ rest []byte }

// uint is one byte below 128, or the negated number of the bytes that follow, the highest first.
func (c *gobCursor) uint() (uint64, error) {
	if len(c.rest) == 0 {
		return 0, errors.New("it ends too early")
	}
	first := c.rest[0]
	c.rest = c.rest[1:]
	if first < 0x80 {
		return uint64(first), nil
	}
	n := int(-int8(first))
	if n < 1 || n > 8 || n > len(c.rest) {
		return 0, fmt.Errorf("a number of %d bytes where %d are left", uint8(-first), len(c.rest))
	}
	v := uint64(0)
	for _, b := range c.rest[:n] {
		v = v<<8 | uint64(b)
	}
	c.rest = c.rest[n:]
	return v, nil
}

// int has its sign in the lowest bit.
func (c *gobCursor) int() (int64, error) {
	u, err := c.uint()
	if u&1 != 0 {
		return ^int64(u >> 1), err
	}
	return int64(u >> 1), err
}

// bytes are a length and so many bytes, which stay where they are.
func (c *gobCursor) bytes() ([]byte, error) {
	n, err := c.uint()
	if err != nil {
		return nil, err
	}
	if n > uint64(len(c.rest)) {
		return nil, fmt.Errorf("%d bytes are announced, %d are left; is the download complete?", n, len(c.rest))
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b, nil
}

// fields reads a struct: distances between the fields that are there, each before its value, and 0 at the end.
func (c *gobCursor) fields(read func(field int) error) error {
	for field := 0; ; {
		d, err := c.uint()
		if err != nil || d == 0 {
			return err
		}
		if d > 16 {
			return fmt.Errorf("field %d of a description", d)
		}
		if field += int(d); field > 16 {
			return fmt.Errorf("field %d of a description", field)
		}
		if err := read(field); err != nil {
			return err
		}
	}
}

// wireType reads the definition of a type as far as a checkpoint needs it.
func (c *gobCursor) wireType() (gobType, error) {
	var t gobType
	kind, err := c.uint()
	if err != nil {
		return t, err
	}
	if kind < 1 || kind >= uint64(len(gobKinds)) {
		return t, fmt.Errorf("kind %d of type", kind)
	}
	t.kind = int(kind)
	if t.kind != gobKindMap && t.kind != gobKindEncoder {
		return t, nil // told by its kind when it is used
	}
	err = c.fields(func(field int) (err error) {
		switch {
		case field == 1:
			err = c.commonType()
		case field == 2 && t.kind == gobKindMap:
			t.key, err = c.int()
		case field == 3 && t.kind == gobKindMap:
			t.elem, err = c.int()
		default:
			err = fmt.Errorf("field %d of a %s", field, gobKinds[t.kind])
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if end, err := c.uint(); err != nil || end != 0 || len(c.rest) > 0 {
		return t, fmt.Errorf("more than one description, or bytes behind it")
	}
	return t, nil
}

// commonType skips a type's name and number.
func (c *gobCursor) commonType() error {
	return c.fields(func(field int) (err error) {
		switch field {
		case 1:
			_, err = c.bytes()
		case 2:
			_, err = c.int()
		default:
			err = fmt.Errorf("field %d of a name", field)
		}
		return err
	})
}

// entries reads the map behind its type.
func (c *gobCursor) entries(each func(key string, value []byte) error) error {
	if zero, err := c.uint(); err != nil || zero != 0 { // marks a value that is no struct
		return errors.New("damaged before its length")
	}
	n, err := c.uint()
	if err != nil {
		return err
	}
	for i := range n {
		key, err := c.bytes()
		if err != nil {
			return fmt.Errorf("name %d of %d: %w", i+1, n, err)
		}
		value, err := c.bytes()
		if err != nil {
			return fmt.Errorf("tensor %.200q: %w", key, err)
		}
		if err := each(string(key), value); err != nil {
			return err
		}
	}
	if len(c.rest) > 0 {
		return fmt.Errorf("%d bytes are left after %d tensors", len(c.rest), n)
	}
	return nil
}
