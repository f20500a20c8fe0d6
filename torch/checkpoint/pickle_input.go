package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

var errCutShort = errors.New("the pickle is cut short; is the download complete?")

func (p *pickle) byte() (byte, error) {
	b, err := p.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// take is the next n bytes, in place.
func (p *pickle) take(n uint64) ([]byte, error) {
	if n > uint64(len(p.data)-p.at) {
		return nil, errCutShort
	}
	b := p.data[p.at : p.at+int(n) : p.at+int(n)]
	p.at += int(n)
	return b, nil
}

// counted is a run of bytes behind its length; a length beyond the input is refused before anything is made of it.
func (p *pickle) counted(op byte) ([]byte, error) {
	b, err := p.take(uint64(width[op]))
	if err != nil {
		return nil, err
	}
	return p.take(unsigned(b))
}

func (p *pickle) line() ([]byte, error) {
	n := bytes.IndexByte(p.data[p.at:], '\n')
	if n < 0 {
		return nil, errCutShort
	}
	b, err := p.take(uint64(n) + 1)
	return bytes.TrimSuffix(b[:n], []byte("\r")), err
}

// textNumber reads protocol 0's numbers: I01 is true, 12L a long.
func (p *pickle) textNumber(op byte) (any, error) {
	b, err := p.line()
	if err != nil {
		return nil, err
	}
	s := string(b)
	switch {
	case op == 'F':
		return strconv.ParseFloat(s, 64)
	case op == 'I' && (s == "00" || s == "01"):
		return s == "01", nil
	}
	return strconv.ParseInt(strings.TrimSuffix(s, "L"), 10, 64)
}

func unsigned(b []byte) uint64 {
	var full [8]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint64(full[:])
}

// integer is a two's complement of any length: int64 where it fits.
func integer(b []byte) any {
	if len(b) > 8 {
		return long(b)
	}
	v := int64(unsigned(b))
	if shift := 64 - 8*len(b); len(b) > 0 {
		v = v << shift >> shift
	}
	return v
}
