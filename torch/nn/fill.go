package nn

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"espalier/torch"
)

// Fill takes over the values of a checkpoint, which must have exactly the names and shapes of the declaration. All
// that is missing, unexpected or misshapen is told at once, and then nothing is taken.
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
	var faults []error
	var extra []string
	for name := range shapes {
		if s.byName[name] == nil {
			extra = append(extra, name)
		}
	}
	sort.Strings(extra)
	for _, p := range s.params {
		got, ok := shapes[p.Name]
		if !ok {
			fault := fmt.Sprintf("missing %s %v", p.Name, p.Shape())
			if near := nearest(p, extra, shapes); near != "" && len(faults) < shownFaults {
				fault += fmt.Sprintf(" (%s %v is nearest)", near, shapes[near])
			}
			faults = append(faults, errors.New(fault))
			continue
		}
		if want := p.Shape(); !equal(got, want) {
			faults = append(faults, fmt.Errorf("%s has shape %v, the network needs %v", p.Name, got, want))
		}
	}
	for _, name := range extra {
		faults = append(faults, fmt.Errorf("unexpected %s %v", name, shapes[name]))
	}
	if len(faults) > 0 {
		return &FillError{Faults: faults}
	}
	return nil
}

// FillError tells all the ways in which values do not fit a network.
type FillError struct{ Faults []error }

func (e *FillError) Error() string {
	var lines []string
	for i, f := range e.Faults {
		if i == shownFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Faults)-shownFaults))
			break
		}
		lines = append(lines, f.Error())
	}
	return "the tensors do not fit the network: " + strings.Join(lines, "; ")
}

// shownFaults is how many faults are written out.
const shownFaults = 40

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
