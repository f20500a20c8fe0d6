package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

var errGobPickle = errors.New("not what gotorch writes of a tensor")

// gobView is a tensor as its pickle describes it.
type gobView struct {
	storage        gobStorage
	offset         int
	shape, strides []int
}

type gobStorage struct {
	kind, key string
	count     int
}

// What the machine's stack holds besides string, int, bool and gobStorage.
type (
	gobGlobal string
	gobTuple  []any
	gobMark   struct{}
	gobDict   struct{}
)

// gobUnpickle reads the description of a tensor: the few operations of pickle's protocol 2 that C++ torch::pickle_save
// writes for one. It calls nothing, and its stack and memo have at most one entry a byte.
func gobUnpickle(code []byte) (gobView, error) {
	m := gobMachine{code: code, memo: map[uint32]any{}}
	for {
		at := len(code) - len(m.code)
		op, err := m.take(1)
		if err != nil {
			return gobView{}, err
		}
		if op[0] == '.' {
			break
		}
		if err := m.step(op[0]); err != nil {
			return gobView{}, fmt.Errorf("operation %q at byte %d: %w", op[0], at, err)
		}
	}
	if len(m.stack) == 1 {
		if v, ok := m.stack[0].(gobView); ok && len(m.code) == 0 {
			return v, nil
		}
	}
	return gobView{}, fmt.Errorf("no tensor comes out: %w", errGobPickle)
}

type gobMachine struct {
	code  []byte
	stack []any
	memo  map[uint32]any
}

func (m *gobMachine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.code)) {
		return nil, fmt.Errorf("it ends %d bytes too early", n-uint64(len(m.code)))
	}
	b := m.code[:n]
	m.code = m.code[n:]
	return b, nil
}

// number takes an unsigned number of n bytes, the lowest first.
func (m *gobMachine) number(n uint64) (uint64, error) {
	b, err := m.take(n)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

func (m *gobMachine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errGobPickle
	}
	top := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return top, nil
}

func (m *gobMachine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		if v, err := m.number(1); err != nil || v != 2 {
			return fmt.Errorf("protocol %d, only 2 is read", v)
		}
		return nil
	case '(': // MARK
		m.stack = append(m.stack, gobMark{})
	case ')': // EMPTY_TUPLE
		m.stack = append(m.stack, gobTuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		return m.tuple(len(m.stack) - int(op-0x84))
	case 't': // TUPLE
		for i := len(m.stack) - 1; i >= 0; i-- {
			if _, ok := m.stack[i].(gobMark); ok {
				m.stack = append(m.stack[:i], m.stack[i+1:]...)
				return m.tuple(i)
			}
		}
		return errGobPickle
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		m.stack = append(m.stack, op == 0x88)
	case 'K', 'M', 'J', 0x8a: // BININT1, BININT2, BININT, LONG1
		return m.integer(op)
	case 'X': // BINUNICODE
		n, err := m.number(4)
		if err != nil {
			return err
		}
		text, err := m.take(n)
		m.stack = append(m.stack, string(text))
		return err
	case 'c': // GLOBAL
		lines := bytes.SplitN(m.code, []byte("\n"), 3)
		if len(lines) < 3 {
			return errGobPickle
		}
		m.code = lines[2]
		m.stack = append(m.stack, gobGlobal(fmt.Sprintf("%s %s", lines[0], lines[1])))
	case 'q', 'r', 'h', 'j': // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
		return m.remember(op)
	case 'Q': // BINPERSID
		return m.persistent()
	case 'R': // REDUCE
		return m.reduce()
	default:
		return errGobPickle
	}
	return nil
}

func (m *gobMachine) tuple(from int) error {
	if from < 0 {
		return errGobPickle
	}
	items := append(gobTuple{}, m.stack[from:]...)
	m.stack = append(m.stack[:from], items)
	return nil
}

func (m *gobMachine) integer(op byte) error {
	size := map[byte]uint64{'K': 1, 'M': 2, 'J': 4}[op]
	if op == 0x8a {
		n, err := m.number(1)
		if err != nil || n < 1 || n > 8 {
			return fmt.Errorf("a number of %d bytes: %w", n, errGobPickle)
		}
		size = n
	}
	v, err := m.number(size)
	if err != nil {
		return err
	}
	if unused := 64 - 8*size; op == 'J' || op == 0x8a { // signed
		m.stack = append(m.stack, int(int64(v<<unused)>>unused))
		return nil
	}
	m.stack = append(m.stack, int(v))
	return nil
}

func (m *gobMachine) remember(op byte) error {
	size := uint64(1)
	if op == 'r' || op == 'j' {
		size = 4
	}
	slot, err := m.number(size)
	if err != nil {
		return err
	}
	if op == 'q' || op == 'r' {
		if len(m.stack) == 0 {
			return errGobPickle
		}
		m.memo[uint32(slot)] = m.stack[len(m.stack)-1]
		return nil
	}
	v, ok := m.memo[uint32(slot)]
	if !ok {
		return errGobPickle
	}
	m.stack = append(m.stack, v)
	return nil
}

// persistent reads ("storage", kind, key, device, count).
func (m *gobMachine) persistent() error {
	top, err := m.pop()
	if err != nil {
		return err
	}
	id, _ := top.(gobTuple)
	if len(id) != 5 || id[0] != "storage" {
		return errGobPickle
	}
	kind, ok := id[1].(gobGlobal)
	key, ok2 := id[2].(string)
	count, ok3 := id[4].(int)
	if !ok || !ok2 || !ok3 {
		return errGobPickle
	}
	m.stack = append(m.stack, gobStorage{kind: string(kind), key: key, count: count})
	return nil
}

// reduce reads the two calls that stand for values.
func (m *gobMachine) reduce() error {
	top, err := m.pop()
	if err != nil {
		return err
	}
	callee, err := m.pop()
	if err != nil {
		return err
	}
	args, _ := top.(gobTuple)
	function, ok := callee.(gobGlobal)
	switch {
	case ok && function == "collections OrderedDict" && len(args) == 0:
		m.stack = append(m.stack, gobDict{})
		return nil
	case ok && function == "torch._utils _rebuild_tensor_v2" && len(args) == 6:
		return m.tensor(args)
	case ok:
		return fmt.Errorf("it calls %q, which is never done for a file", string(function))
	}
	return errGobPickle
}

// tensor reads (storage, offset, shape, strides, requires_grad, hooks).
func (m *gobMachine) tensor(args gobTuple) error {
	v, ok := gobView{}, false
	if v.storage, ok = args[0].(gobStorage); !ok {
		return errGobPickle
	}
	if v.offset, ok = args[1].(int); !ok || v.offset < 0 || v.offset > 1<<62 {
		return errGobPickle
	}
	for i, into := range []*[]int{&v.shape, &v.strides} {
		numbers, ok := args[2+i].(gobTuple)
		if !ok || len(numbers) > 64 {
			return errGobPickle
		}
		*into = make([]int, len(numbers))
		for k, n := range numbers {
			if (*into)[k], ok = n.(int); !ok {
				return errGobPickle
			}
		}
	}
	m.stack = append(m.stack, v)
	return nil
}
