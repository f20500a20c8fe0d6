package pipeline

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/needs"
	"espalier/pipeline/report"
	"espalier/torch/torchtest"
)

// Whatever rows have a task or a category, a run ends with a report.
func TestMixedTasksAndCategories(t *testing.T) {
	torchtest.Setup(t)
	strip := func(keep func(split string, i int) (task, category bool)) map[string][]dataRow {
		splits := plainSplits()
		for split, rows := range splits {
			for i := range rows {
				task, category := keep(split, i)
				if !task {
					rows[i].task = ""
				}
				if !category {
					rows[i].category = ""
				}
			}
		}
		return splits
	}
	for name, splits := range map[string]map[string][]dataRow{
		"none":               strip(func(string, int) (bool, bool) { return false, false }),
		"half of the tasks":  strip(func(_ string, i int) (bool, bool) { return i%2 == 0, true }),
		"some of one task":   strip(func(_ string, i int) (bool, bool) { return i%3 != 0, false }),
		"one or the other":   strip(func(_ string, i int) (bool, bool) { return i%2 == 0, i%2 == 1 }),
		"tasks in test only": strip(func(s string, _ int) (bool, bool) { return s == "test", s == "test" }),
		"none in test":       strip(func(s string, _ int) (bool, bool) { return s != "test", s != "test" }),
		"some categories":    strip(func(_ string, i int) (bool, bool) { return true, i%3 == 0 }),
	} {
		t.Run(name, func(t *testing.T) {
			r, notes, err := runOn(t, dataFolder(t, splits), smallRun, "stage.blocks.alpha_task=1")
			require.NoError(t, err)
			if name == "half of the tasks" {
				assert.Contains(t, notes, `4 of 8 test questions have no task and count under "overall" alone`)
			}
			assert.Equal(t, name == "none" || name == "tasks in test only", slices.Contains(notes, "stage.blocks.alpha_task gates nothing: no validation question has a task"))
			tasks, categories := map[string]bool{"overall": true}, map[string]bool{}
			for _, row := range splits["test"] {
				if row.task != "" {
					tasks[row.task] = true
				}
				if row.category != "" {
					categories[row.category] = true
				}
			}
			assert.Len(t, r.Student.Accuracy, len(tasks))
			assert.Len(t, r.Student.AccuracyByCategory, len(categories))
			assert.NotContains(t, r.Stages[0].Gate.Tasks, "")
			assert.NotPanics(t, func() { r.Tables() })
		})
	}
}

// Accuracies are of all questions and, where they have one, of their task.
func TestAccuracyOfQuestionsWithoutATask(t *testing.T) {
	root := dataFolder(t, map[string][]dataRow{
		"train": {{picture: 1, question: "q", answer: "a"}, {picture: 2, question: "q", answer: "a"}},
		"test": {{picture: 3, question: "q", answer: "a", task: "t"}, {picture: 3, question: "q", answer: "a"}, {picture: 3, question: "q", answer: "a"},
			{picture: 4, question: "q", answer: "a", category: "c"}},
	})
	split := openSmall(t, root).Test
	all, byCategory := measure.Marks{Right: []string{"100", "1"}}.Accuracy(split)
	assert.Equal(t, report.Accuracy{"overall": .5, "t": 1}, all)
	assert.Equal(t, map[string]report.Accuracy{"c": {"overall": 1}}, byCategory)
}

// What a reader of the figures should know is said: pictures in two splits, a validation split that was held out, words that
// nothing taught, and a teacher that knows nothing.
func TestDoubtsAreNoted(t *testing.T) {
	torchtest.Setup(t)
	splits := plainSplits()
	delete(splits, "validation")
	splits["test"][2].answer = "mauve"
	splits["test"] = append(splits["test"], dataRow{picture: 0, question: "which shape", answer: "square"})
	_, notes, err := runOn(t, dataFolder(t, splits), smallRun)
	require.NoError(t, err)
	text := strings.Join(notes, "\n")
	assert.Contains(t, text, "there is no validation split: 1 of the 8 pictures of train serve as one, and are not trained on")
	assert.Regexp(t, `1 picture of test is also in (train|validation) \(first: test/metadata.jsonl:9 = train/metadata.jsonl:1\)`, text)
	assert.Contains(t, text, "1 of 9 test questions cannot be answered right: the tokenizer has no tokens for the answers (first: test/metadata.jsonl:3)")
	assert.Contains(t, text, "the teacher answers no validation question right, so the gates prove nothing; raise teacher.train.steps")
}

// A task that the teacher cannot do at all is hidden by the others in the overall figure.
func TestTaskThatTheTeacherCannotDo(t *testing.T) {
	set := openSmall(t, dataFolder(t, plainSplits()))
	var notes []string
	marks := measure.Marks{}
	for range set.Validation.Len() {
		marks.Right = append(marks.Right, "10")
	}
	doubt := func() {
		all, _ := marks.Accuracy(set.Validation)
		needs.TeacherDoubts(&config.Config{}, all, func(e event.Event) { notes = append(notes, e.(event.Note).Text) })
	}
	doubt()
	require.Len(t, notes, 1)
	assert.Contains(t, notes[0], "the teacher answers no validation question of shape right, so the gates prove nothing there; see whether data.prompt")
	marks.Right[0] = "11"
	doubt()
	assert.Len(t, notes, 1)
}
