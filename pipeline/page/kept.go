package page

import (
	"fmt"

	"espalier/pipeline/chain"
	"espalier/pipeline/measure"
	"espalier/pipeline/report"
)

// kept is what a run's chain has kept, by its place.
type kept map[string]chain.Recorded

func keptOf(folder string) kept {
	k := kept{}
	for _, r := range chain.RecordOf(folder) {
		k[r.At] = r
	}
	return k
}

// value reads the kept value of a place.
func (k kept) value(at string, into any) error {
	r, ok := k[at]
	if !ok {
		return fmt.Errorf("the run's chain.json has no %q", at)
	}
	if err := r.Value(into); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

// prefixOf is what the places of a student's stages begin with.
func prefixOf(r *report.Report) string {
	if len(r.Students) > 1 {
		return r.Students[0].Name + "/"
	}
	return ""
}

// answersOf are the answers to a split, of the teacher and of the student whose places begin with the prefix. Where no stage was accepted the
// student is the teacher, in dtypes of its own at most.
func (k kept) answersOf(r *report.Report, prefix, split string) (teacher, student measure.Marks, err error) {
	if err = k.value("teacher on "+split, &teacher); err != nil {
		return teacher, student, err
	}
	at := "teacher"
	if s := r.Accepted(); s != nil {
		at = placeOf(prefix, *s) + "/distilled"
	} else if _, other := k[prefix+"student on "+split]; other {
		at = prefix + "student"
	}
	return teacher, student, k.value(at+" on "+split, &student)
}
