package nn

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"espalier/torch"
)

// Fill takes over the values of a checkpoint, which must have exactly the names and shapes of the declaration. All
// that is missing, unexpected or misshapen is reported together, and then nothing is taken.
func (s *Store) Fill(values map[string]*torch.Tensor) error {
	shapes := make(map[string][]int, len(values))
	for name, v := range values {
		shapes[name] = v.Shape()
	}
	if err := s.Fits(shapes); err != nil {
		return err
	}
	for _, p := range s.params {
		p.Set(values[p.Name])
	}
	return nil
}

// Fits finds out whether tensors of these shapes are exactly those of the declaration: a *FillError tells all that is
// missing, unexpected or misshapen.
func (s *Store) Fits(shapes map[string][]int) error {
	var e FillError
	var extra []string
	for name := range shapes {
		if s.byName[name] == nil {
			extra = append(extra, name)
		}
	}
	sort.Strings(extra)
	for _, p := range s.params {
		got, ok := shapes[p.Name]
		switch want := p.Shape(); {
		case !ok:
			line := fmt.Sprintf("%s %v", p.Name, want)
			if len(e.Missing) < shownFaults { // looking for the nearest takes time
				if near := nearest(p, extra, shapes); near != "" {
					line += fmt.Sprintf(" (%.200s %v is nearest)", near, shapes[near])
				}
			}
			e.Missing = append(e.Missing, line)
		case !equal(got, want):
			e.Misshapen = append(e.Misshapen, fmt.Sprintf("%s has shape %s, the network needs %v", p.Name, shapeText(got), want))
		}
	}
	for _, name := range extra {
		e.Unexpected = append(e.Unexpected, fmt.Sprintf("%.200s %s", name, shapeText(shapes[name])))
	}
	if len(e.Missing)+len(e.Misshapen)+len(e.Unexpected) > 0 {
		return &e
	}
	return nil
}

// FillError tells all the ways in which values do not fit a network, a line each.
type FillError struct{ Missing, Misshapen, Unexpected []string }

func (e *FillError) Error() string {
	var counts, lines []string
	for _, list := range []struct {
		kind, prefix string
		lines        []string
	}{{"missing", "missing ", e.Missing}, {"of another shape", "", e.Misshapen}, {"unexpected", "unexpected ", e.Unexpected}} {
		if len(list.lines) > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", len(list.lines), list.kind))
		}
		for i, line := range list.lines {
			if i == shownFaults {
				lines = append(lines, fmt.Sprintf("\n  and %d more", len(list.lines)-i))
				break
			}
			lines = append(lines, "\n  "+list.prefix+line)
		}
	}
	return "the tensors do not fit the network: " + strings.Join(counts, ", ") + strings.Join(lines, "")
}

// shownFaults is how many faults of a kind are written out: all kinds together fill no more than a screen.
const shownFaults = 6

// shapeText is a shape as a file may claim it: of any length.
func shapeText(shape []int) string {
	if len(shape) > 8 {
		return fmt.Sprintf("%v and %d dimensions more", shape[:8], len(shape)-8)
	}
	return fmt.Sprint(shape)
}

// nearest is the one of the names that is most like a parameter's: of the same shape, with as many of the same words in
// the same order as can be. "" where none has a word and the shape in common with it.
func nearest(p *Param, names []string, shapes map[string][]int) string {
	want := words(p.Name)
	score := func(name string) float64 {
		have := words(name)
		common := commonWords(want, have)
		if common == 0 || !equal(shapes[name], p.Shape()) {
			return 0
		}
		return 2 * float64(common) / float64(len(want)+len(have))
	}
	if len(names) == 0 {
		return ""
	}
	best := slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(score(a), score(b)) })
	if score(best) == 0 {
		return ""
	}
	return best
}

// words are the parts of a name between dots and underscores, in lower case.
func words(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '.' || r == '_' })
}

// commonWords is the length of the longest common subsequence.
func commonWords(a, b []string) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
