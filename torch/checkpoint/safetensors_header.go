package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"espalier/torch"
)

// entry is what the header says of a tensor.
type entry struct {
	DType   string  `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

var dtypeNames = map[string]torch.DType{
	"U8": torch.Uint8, "I8": torch.Int8, "I16": torch.Int16, "I32": torch.Int32, "I64": torch.Int64, "F16": torch.Float16,
	"BF16": torch.BFloat16, "F32": torch.Float32, "F64": torch.Float64, "BOOL": torch.Bool,
}

// otherDTypes are the format's types that Espalier does not compute with: their tensors are listed, not loaded.
var otherDTypes = map[string]element{
	"U16": elements["uint16"], "U32": elements["uint32"], "U64": elements["uint64"], "C64": elements["complex64"],
	"F8_E4M3": elements["float8_e4m3fn"], "F8_E5M2": elements["float8_e5m2"], "F8_E8M0": {"float8_e8m0fnu", 44, 1},
}

// elementOf is the type of a name, with its size; ok is false where neither table has it.
func elementOf(name string) (e element, ok bool) {
	if d, ok := dtypeNames[name]; ok {
		return element{d.String(), d, int64(d.Size())}, true
	}
	e, ok = otherDTypes[name]
	return e, ok
}

// maxHeader is the limit of the reference implementation.
const maxHeader = 100_000_000

// parseHeader reads the object key by key: a map would let a second tensor of the same name replace the first in silence.
func (s *SafeTensors) parseHeader(header []byte) error {
	if !json.Valid(header) || !bytes.HasPrefix(header, []byte("{")) {
		return errors.New("the header is no JSON object: not a safetensors file, or damaged")
	}
	s.entries = make(map[string]entry)
	d := json.NewDecoder(bytes.NewReader(header))
	d.Token() // the opening brace; errors are ruled out above
	for seen := false; d.More(); {
		key, _ := d.Token()
		name := key.(string)
		if name == "__metadata__" && !seen {
			seen = true
			if err := d.Decode(&s.Metadata); err != nil {
				return fmt.Errorf("broken metadata: %w", err)
			}
			continue
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return fmt.Errorf("tensor %.200q: broken entry: %w", name, err)
		}
		if _, twice := s.entries[name]; twice || name == "__metadata__" {
			return fmt.Errorf("%.200q is in the header twice", name)
		}
		if err := e.check(int64(len(s.data))); err != nil {
			return fmt.Errorf("tensor %.200q: %w", name, err)
		}
		s.entries[name] = e
	}
	return nil
}

func (e entry) check(size int64) error {
	d, ok := elementOf(e.DType)
	if !ok {
		return fmt.Errorf("unknown dtype %q", e.DType)
	}
	if e.Shape == nil || len(e.Offsets) != 2 {
		return errors.New("needs a shape and two data_offsets")
	}
	want := d.size
	for _, n := range e.Shape {
		if n < 0 || (n > 0 && want > (1<<62)/int64(n)) {
			return fmt.Errorf("impossible shape %v", e.Shape)
		}
		want *= int64(n)
	}
	from, to := e.Offsets[0], e.Offsets[1]
	if from < 0 || to < from || to > size {
		return fmt.Errorf("bytes %d to %d lie outside the file's %d; is the download complete?", from, to, size)
	}
	if to-from != want {
		return fmt.Errorf("shape %v of %s needs %d bytes, the file has %d", e.Shape, e.DType, want, to-from)
	}
	return nil
}

func (s *SafeTensors) checkPlaces() error {
	names := s.Names()
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(s.entries[a].Offsets, s.entries[b].Offsets) })
	end := int64(0)
	for _, n := range names {
		e := s.entries[n]
		if e.Offsets[0] < end {
			return fmt.Errorf("tensor %.200q overlaps another", n)
		}
		if e.Offsets[0] > end {
			return fmt.Errorf("%d bytes before tensor %.200q belong to none", e.Offsets[0]-end, n)
		}
		end = e.Offsets[1]
	}
	if rest := int64(len(s.data)) - end; rest > 0 {
		return fmt.Errorf("the last %d bytes belong to no tensor", rest)
	}
	return nil
}
