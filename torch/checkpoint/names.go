package checkpoint

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
)

// NameMap says under which names, and cut or joined in which way, the tensors of a checkpoint are seen: rules, of which the
// first that matches a name counts. A name that no rule matches stays.
type NameMap struct{ rules []rule }

// rule takes the tensors that match from to those that to names. One side may have several patterns: from a list to one,
// tensors are joined along Dim in this order; from one to a list, a tensor is split. An empty pattern in a list is a part
// of zeros that is written, or a part that is not wanted. No pattern in to drops the tensor.
type rule struct {
	from, to  []pattern
	dim       int
	sizes     []int // of a split, in proportion; empty: all alike
	transpose bool  // of matrices, whole: after joining, before splitting
}

// ParseNames reads the rules of a TOML text:
//
//	[[rule]]
//	from = "h.*.attn.out.**"                        # * is a part of a name between dots, ** is any text
//	to   = "layers.*.self_attn.out_proj.**"
//	[[rule]]
//	from = ["h.*.q.bias", "", "h.*.v.bias"]         # joined in this order; "" is a part of zeros
//	to   = "layers.*.qkv.bias"
//	[[rule]]
//	from = "h.*.kv.weight"                          # split; dim = 0 unless given, sizes in proportion
//	to   = ["layers.*.k.weight", "layers.*.v.weight"]
//	transpose = true
//	[[rule]]
//	from = "[ema.]head.**"                          # with or without the text in brackets
//	to   = []                                       # dropped
func ParseNames(text string) (*NameMap, error) {
	var file struct {
		Rule []struct {
			From, To  any
			Dim       int
			Sizes     []int
			Transpose bool
		}
	}
	meta, err := toml.Decode(text, &file)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("unknown key %s; a [[rule]] has from, to, dim, sizes and transpose", unknown[0])
	}
	m := &NameMap{}
	for i, r := range file.Rule {
		one := rule{dim: r.Dim, sizes: r.Sizes, transpose: r.Transpose}
		if one.from, err = patterns(r.From); err == nil {
			if one.to, err = patterns(r.To); err == nil {
				err = one.check()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("rule %d, from %v: %w", i+1, r.From, err)
		}
		m.rules = append(m.rules, one)
	}
	if len(m.rules) == 0 {
		return nil, errors.New("there is no [[rule]]")
	}
	return m, nil
}

func (r rule) check() error {
	wild := -1
	for _, p := range append(append([]pattern{}, r.from...), r.to...) {
		if p.text == "" {
			continue
		}
		if wild < 0 {
			wild = p.wild
		}
		if p.wild != wild {
			return fmt.Errorf("%q has %d wildcards, the other patterns %d", p.text, p.wild, wild)
		}
	}
	several := max(len(r.from), len(r.to))
	switch {
	case len(r.from) == 0 || len(r.from) == 1 && r.from[0].text == "":
		return errors.New("from is empty")
	case len(r.to) == 1 && r.to[0].text == "":
		return errors.New("to is empty; [] drops a tensor")
	case len(r.from) > 1 && len(r.to) != 1:
		return errors.New("several tensors are joined to one; write to as one name")
	case len(r.sizes) > 0 && len(r.sizes) != several:
		return fmt.Errorf("%d sizes for %d parts", len(r.sizes), several)
	case r.dim < 0:
		return fmt.Errorf("dim %d; count from 0", r.dim)
	}
	for _, n := range r.sizes {
		if n < 1 {
			return fmt.Errorf("sizes %v; each is at least 1", r.sizes)
		}
	}
	return nil
}

// Reverse is the way back: what was joined is split. Dropped tensors stay dropped.
func (m *NameMap) Reverse() *NameMap {
	out := &NameMap{}
	for _, r := range m.rules {
		if len(r.to) == 0 {
			continue
		}
		r.from, r.to = r.to, r.from
		out.rules = append(out.rules, r)
	}
	return out
}

// pattern is a name with wildcards and optional texts.
type pattern struct {
	text string
	re   *regexp.Regexp
	wild int
}

var patternToken = regexp.MustCompile(`\*\*|\*|\[[^\]*]*\]|[^*\[]+`)

func patterns(value any) ([]pattern, error) {
	var texts []any
	switch v := value.(type) {
	case string:
		texts = []any{v}
	case []any:
		texts = v
	default:
		return nil, fmt.Errorf("from and to are a name or a list of names, not %v", value)
	}
	var out []pattern
	for _, t := range texts {
		text, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", t)
		}
		p := pattern{text: text}
		expression := "^"
		for _, token := range patternToken.FindAllString(text, -1) {
			switch {
			case token == "**":
				expression += "(.*)"
				p.wild++
			case token == "*":
				expression += `([^.]+)`
				p.wild++
			case token[0] == '[' && token[len(token)-1] == ']':
				expression += "(?:" + regexp.QuoteMeta(token[1:len(token)-1]) + ")?"
			default:
				expression += regexp.QuoteMeta(token)
			}
		}
		var err error
		if p.re, err = regexp.Compile(expression + "$"); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// match gives what the wildcards stand for; ok is false where the name is another.
func (p pattern) match(name string) (wild []string, ok bool) {
	if p.text == "" {
		return nil, false
	}
	found := p.re.FindStringSubmatch(name)
	if found == nil {
		return nil, false
	}
	return found[1:], true
}

// fill writes the pattern's name with what its wildcards stand for.
func (p pattern) fill(wild []string) string {
	return patternToken.ReplaceAllStringFunc(p.text, func(token string) string {
		switch {
		case token[0] == '*':
			w := wild[0]
			wild = wild[1:]
			return w
		case token[0] == '[' && token[len(token)-1] == ']':
			return token[1 : len(token)-1]
		}
		return token
	})
}

// find gives the first rule that takes up a name, the place of the name among its from patterns, and the wildcards.
func (m *NameMap) find(name string) (r *rule, at int, wild []string) {
	for i := range m.rules {
		for j, p := range m.rules[i].from {
			if w, ok := p.match(name); ok {
				return &m.rules[i], j, w
			}
		}
	}
	return nil, 0, nil
}

func (r rule) String() string {
	texts := func(ps []pattern) string {
		var out []string
		for _, p := range ps {
			out = append(out, fmt.Sprintf("%q", p.text))
		}
		return strings.Join(out, ", ")
	}
	return texts(r.from) + " → " + texts(r.to)
}
