package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// What a pickle can hold, beside nil, bool, int64, float64, string and []byte.
type (
	tuple  []any
	list   struct{ items []any }
	dict   struct{ keys, values []any } // in the file's order
	global string                       // "module.name": mentioned, never looked up
	long   []byte                       // an integer of more than 64 bits, little-endian
	object struct {                     // of a class that stays closed: a Namespace, a numpy array, a TorchScript module
		class global
		state any
	}
	mark struct{}
)

// pickle is a machine for Python's pickle protocols 0 to 5 that runs no code: what would be a call is handed to reduce,
// which knows PyTorch's few constructors and refuses the rest by name. It never allocates what the input merely promises:
// lengths are checked against the bytes that are there, and the number of objects against the input's size.
type pickle struct {
	data       []byte
	at         int
	stack      []any
	memo       map[uint64]any
	left       int // objects that may still be made
	persistent func(id any) (any, error)
	reduce     func(callable global, args tuple) (any, error)
}

// width is the number of bytes of an opcode's number: a value, a length or a place in the memo.
var width = [256]uint8{'K': 1, 'M': 2, 'J': 4, 0x8a: 1, 0x8b: 4, 'X': 4, 0x8c: 1, 0x8d: 8, 'U': 1, 'T': 4, 'B': 4, 'C': 1,
	0x8e: 8, 0x96: 8, 'q': 1, 'h': 1, 'r': 4, 'j': 4}

// freeObjects may be made whatever the size of the pickle; beyond them, one for every four bytes: Python writes about seven.
const freeObjects = 1 << 20

func newPickle(data []byte) *pickle {
	p := &pickle{data: data, memo: map[uint64]any{}, left: freeObjects + len(data)/4}
	p.reduce = p.construct
	p.persistent = func(any) (any, error) { return nil, errors.New("a persistent object where none belongs") }
	return p
}

// load runs the machine up to STOP; at is then the first byte behind the pickle, where another may begin.
func (p *pickle) load() (any, error) {
	start := p.at
	clear(p.memo)
	for {
		op, err := p.byte()
		if err != nil {
			return nil, err
		}
		if op == '.' {
			v, err := p.pop()
			if err == nil && len(p.stack) > 0 {
				err = fmt.Errorf("%d values are left over at the pickle's end", len(p.stack))
			}
			return v, err
		}
		if err := p.step(op); err != nil {
			return nil, fmt.Errorf("pickle, byte %d: %w", p.at-start, err)
		}
	}
}

// step executes one opcode; those of constants and of the stack are here, those of containers and calls in build.
func (p *pickle) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		version, err := p.byte()
		if err == nil && version > 5 {
			err = fmt.Errorf("protocol %d is not known", version)
		}
		return err
	case 0x95: // FRAME: only a promise of length
		_, err := p.take(8)
		return err
	case '(':
		return p.push(mark{})
	case '0': // POP
		_, err := p.pop()
		return err
	case '1': // POP_MARK
		_, err := p.popMark()
		return err
	case '2': // DUP
		v, err := p.top()
		return p.pushed(v, err)
	case 'N':
		return p.push(nil)
	case 0x88:
		return p.push(true)
	case 0x89:
		return p.push(false)
	case 'K', 'M', 'J': // BININT1, 2 and BININT
		b, err := p.take(uint64(width[op]))
		if err != nil {
			return err
		}
		if op == 'J' {
			return p.push(int64(int32(binary.LittleEndian.Uint32(b))))
		}
		return p.push(int64(unsigned(b)))
	case 'I', 'L', 'F': // protocol 0's numbers
		v, err := p.textNumber(op)
		return p.pushed(v, err)
	case 0x8a, 0x8b: // LONG1 and 4
		b, err := p.counted(op)
		return p.made(integer(b), err)
	case 'G':
		b, err := p.take(8)
		if err != nil {
			return err
		}
		return p.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case 'X', 0x8c, 0x8d, 'U', 'T': // BINUNICODE, SHORT_, 8; Python 2's SHORT_BINSTRING and BINSTRING
		b, err := p.counted(op)
		return p.made(string(b), err)
	case 'V', 'S':
		b, err := p.line()
		if op == 'S' {
			b = bytes.Trim(b, `'"`)
		}
		return p.made(string(b), err)
	case 'B', 'C', 0x8e, 0x96: // BINBYTES, SHORT_, 8; BYTEARRAY8
		b, err := p.counted(op)
		return p.made(b, err)
	case 'q', 'r', 'p', 0x94, 'h', 'j', 'g':
		return p.remember(op)
	}
	return p.build(op)
}

// remember puts the top into the memo, or gets a value from there.
func (p *pickle) remember(op byte) error {
	index := uint64(len(p.memo)) // MEMOIZE
	switch op {
	case 'q', 'r', 'h', 'j':
		b, err := p.take(uint64(width[op]))
		if err != nil {
			return err
		}
		index = unsigned(b)
	case 'p', 'g':
		b, err := p.line()
		if err == nil {
			index, err = strconv.ParseUint(string(b), 10, 32)
		}
		if err != nil {
			return err
		}
	}
	if op == 'h' || op == 'j' || op == 'g' {
		v, ok := p.memo[index]
		if !ok {
			return fmt.Errorf("nothing was remembered under %d", index)
		}
		return p.push(v)
	}
	v, err := p.top()
	if err != nil {
		return err
	}
	p.memo[index] = v
	return p.spend(1)
}

func (p *pickle) push(v any) error {
	p.stack = append(p.stack, v)
	return nil
}

func (p *pickle) pushed(v any, err error) error {
	if err != nil {
		return err
	}
	return p.push(v)
}

// made pushes an object that takes memory of its own.
func (p *pickle) made(v any, err error) error {
	if err == nil {
		err = p.spend(1)
	}
	return p.pushed(v, err)
}

func (p *pickle) spend(n int) error {
	if p.left -= n; p.left < 0 {
		return fmt.Errorf("more objects than a pickle of %d bytes can sensibly hold", len(p.data))
	}
	return nil
}

func (p *pickle) top() (any, error) {
	if len(p.stack) == 0 {
		return nil, errors.New("a value is missing")
	}
	v := p.stack[len(p.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, errors.New("a value is missing")
	}
	return v, nil
}

func (p *pickle) pop() (any, error) {
	v, err := p.top()
	if err == nil {
		p.stack = p.stack[:len(p.stack)-1]
	}
	return v, err
}

// popMark takes what lies above the last mark; it is valid until the next push.
func (p *pickle) popMark() ([]any, error) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if _, ok := p.stack[i].(mark); ok {
			values := p.stack[i+1:]
			p.stack = p.stack[:i]
			return values, nil
		}
	}
	return nil, errors.New("a mark is missing")
}
