package checkpoint

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// newScript lists the parameters and buffers of a TorchScript module, as its state_dict does in Python: which of a
// module's tensors they are, the archive's code says. Archives of libtorch's torch::save are of the same form; there
// every tensor counts, an optimizer's being neither.
func newScript(path, key string, module *object, r *records) (*PT, error) {
	s := &script{records: r, classes: map[global]func(string) bool{}}
	format := "TorchScript archive"
	if _, err := submodule(module, "training"); err != nil && module.class == "__torch__.Module" { // Python's modules all have it
		format, s.everything = "libtorch archive (torch::save)", true
	}
	var top any = module
	if key != "" && key != "." {
		var err error
		if top, err = submodule(module, key); err != nil {
			return nil, err
		}
		format += fmt.Sprintf(", %q", key)
	}
	p, err := newPT(path, format, ".", top, r, s.keep)
	if err != nil {
		return nil, err
	}
	return p, s.err
}

// submodule follows a key such as "encoder/layers" through modules.
func submodule(m *object, key string) (any, error) {
	for name := range strings.SplitSeq(key, "/") {
		state, ok := m.state.(*dict)
		if !ok {
			state = &dict{}
		}
		v, err := follow(state, name)
		if err != nil {
			return nil, err
		}
		if m, ok = v.(*object); !ok {
			return v, nil
		}
	}
	return m, nil
}

// script knows which attributes of the archive's classes are parameters and buffers.
type script struct {
	records    *records
	everything bool
	classes    map[global]func(string) bool
	unpacked   int
	err        error
}

func (s *script) keep(o *object) func(string) bool {
	if f, ok := s.classes[o.class]; ok {
		return f
	}
	f := s.read(o.class)
	s.classes[o.class] = f
	return f
}

func all(string) bool { return true }

// maxCode bounds the bytes of code that are unpacked to find the classes.
const maxCode = 64 << 20

// read finds the class in the archive's code. A class that is no module has no parameters; one whose code is missing, or
// of before PyTorch 1.5, which did not list buffers, shows all its tensors.
func (s *script) read(class global) func(string) bool {
	if s.everything {
		return all
	}
	dot := strings.LastIndexByte(string(class), '.')
	file := "code/" + strings.ReplaceAll(string(class[:dot]), ".", "/") + ".py"
	if e := s.records.named[file]; e == nil || e.packed > 0 && s.unpacked+int(e.size) > maxCode {
		return all
	} else if e.packed > 0 {
		s.unpacked += int(e.size)
	}
	code, _, err := s.records.read(file)
	if err != nil {
		s.err = err
		return all
	}
	header := "class " + string(class[dot+1:])
	_, body, found := strings.Cut("\n"+string(code), "\n"+header+"(")
	if !found {
		return all
	}
	if !strings.HasPrefix(body, "Module)") {
		return nil
	}
	body, _, _ = strings.Cut(body, "\nclass ")
	parameters, ok1 := quotedList(body, "__parameters__")
	buffers, ok2 := quotedList(body, "__buffers__")
	if !ok1 || !ok2 {
		return all
	}
	names := map[string]bool{}
	for _, n := range append(parameters, buffers...) {
		names[n] = true
	}
	return func(attribute string) bool { return names[attribute] }
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// quotedList reads `  __buffers__ = ["running_mean", ]`.
func quotedList(body, name string) (values []string, ok bool) {
	_, rest, ok := strings.Cut(body, "\n  "+name+" = [")
	if !ok {
		return nil, false
	}
	line, _, _ := strings.Cut(rest, "\n")
	for _, q := range quoted.FindAllString(line, -1) {
		value, err := strconv.Unquote(q)
		if err != nil {
			return nil, false
		}
		values = append(values, value)
	}
	return values, true
}
