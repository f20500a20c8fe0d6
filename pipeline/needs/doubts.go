package needs

import (
	"maps"
	"slices"
	"strings"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/report"
)

// Doubts says what a reader of the figures should know of the data.
func Doubts(cfg *config.Config, set *data.Dataset, events event.Events) {
	if set.HeldOut {
		n := set.Validation.Len()
		events.Note("there is no validation split: %d of the %d %s of train serve as one, and are not trained on", n, n+set.Train.Len(), set.Unit())
	}
	if n := len(set.Skipped); n > 0 {
		events.Note("%d rows are left out, since data.on_error is \"skip\" (first: %s: %s)", n, set.Skipped[0].Place, set.Skipped[0].Reason)
	}
	for _, o := range set.Overlaps() {
		events.Note("%s", o)
	}
	noTask := func(q data.Question) bool { return q.Task == "" }
	for _, s := range set.Splits() {
		if n, all := s.Count(noTask), s.QuestionCount(); n > 0 && n < all {
			events.Note("%d of %d %s questions have no task and count under %q alone", n, all, s.Name, report.Overall)
		}
	}
	for i, s := range cfg.Stages {
		if s.AlphaTask != nil && set.Validation.Count(noTask) == set.Validation.QuestionCount() {
			events.Note("%s.alpha_task gates nothing: no validation question has a task", cfg.Stages.Key(i))
		}
	}
}

// TeacherDoubts says that a gate proves nothing where there is nothing to lose; all is the teacher's accuracy on validation.
func TeacherDoubts(cfg *config.Config, all report.Accuracy, events event.Events) {
	remedy := "see whether data.prompt and the form of the data's answers are those that it was trained with"
	if cfg.Teacher.Train != nil {
		remedy = "raise teacher.train.steps"
	}
	if all[report.Overall] == 0 {
		events.Note("the teacher answers no validation question right, so the gates prove nothing; %s", remedy)
		return
	}
	var none []string
	for _, task := range slices.Sorted(maps.Keys(all)) {
		if all[task] == 0 {
			none = append(none, task)
		}
	}
	if len(none) > 0 {
		events.Note("the teacher answers no validation question of %s right, so the gates prove nothing there; %s", strings.Join(none, ", "), remedy)
	}
}
