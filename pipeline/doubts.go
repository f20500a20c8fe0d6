package pipeline

import (
	"maps"
	"slices"
	"strings"

	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
)

// noteData says what a reader of the figures should know of the data.
func (r *run) noteData() error {
	if r.set.HeldOut {
		n := r.set.Validation.Len()
		r.note("there is no validation split: %d of the %d pictures of train serve as one, and are not trained on", n, n+r.set.Train.Len())
	}
	overlaps, err := r.set.Overlaps()
	if err != nil {
		return &fault.InputError{Err: err}
	}
	for _, o := range overlaps {
		r.note("%s", o)
	}
	noTask := func(q data.Question) bool { return q.Task == "" }
	for _, s := range r.set.Splits() {
		if n, all := s.Count(noTask), s.QuestionCount(); n > 0 && n < all {
			r.note("%d of %d %s questions have no task and count under %q alone", n, all, s.Name, report.Overall)
		}
	}
	for i, s := range r.cfg.Stages {
		if s.AlphaTask != nil && r.set.Validation.Count(noTask) == r.set.Validation.QuestionCount() {
			r.note("%s.alpha_task gates nothing: no validation question has a task", r.cfg.StageKey(i))
		}
	}
	return nil
}

// noteTeacher says that a gate proves nothing where there is nothing to lose.
func (r *run) noteTeacher() {
	all, _ := r.teacherMarks.accuracy(r.validation.split)
	remedy := "see whether data.prompt and the form of the data's answers are those that it was trained with"
	if r.cfg.Teacher.Train != nil {
		remedy = "raise teacher.train.steps"
	}
	if all[report.Overall] == 0 {
		r.note("the teacher answers no validation question right, so the gates prove nothing; %s", remedy)
		return
	}
	var none []string
	for _, task := range slices.Sorted(maps.Keys(all)) {
		if all[task] == 0 {
			none = append(none, task)
		}
	}
	if len(none) > 0 {
		r.note("the teacher answers no validation question of %s right, so the gates prove nothing there; %s", strings.Join(none, ", "), remedy)
	}
}
