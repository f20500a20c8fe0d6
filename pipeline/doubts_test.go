package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/report"
	"espalier/torch"
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

// In pre-training a question without a task has a slot of its own, not the first task's; and none where all have a task.
func TestPretrainingOfQuestionsWithoutATask(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		for tasks, want := range map[[3]string][]int64{
			{"", "t", "u"}:  {6, 0, 3}, // the slots of t, u and none, three words each
			{"s", "t", "u"}: {0, 3, 6},
			{"", "", ""}:    {0}, // one slot, and of two questions of one task the first counts
		} {
			var rows []dataRow
			for i, task := range tasks {
				rows = append(rows, dataRow{picture: 1, question: fmt.Sprint("q", i), answer: "a", task: task})
			}
			r := &run{cfg: &config.Config{}, device: torch.CPU, set: openSmall(t, dataFolder(t, map[string][]dataRow{"train": rows, "validation": rows[1:2], "test": rows[1:2]}))}
			r.words.Answers = r.set.Tokenizer
			var err error
			r.train, err = newCorpus(r.set.Train, r.words, r.pre, model.Form{}, torch.CPU)
			require.NoError(t, err)
			c, err := config.DefaultTrain().ModelConfig(8, r.words.Answers)
			require.NoError(t, err)
			m, err := model.New(c)
			require.NoError(t, err)
			p, err := r.newPretraining(m)
			require.NoError(t, err)
			at, _ := p.targets([]int{0})
			var first []int64 // of the two tokens of each answer
			for i, row := range torch.Values[int64](at) {
				if i%2 == 0 {
					first = append(first, row)
				}
			}
			assert.Equal(t, want, first, "%q", tasks)
			p.store.Free()
		}
	})
}

// Accuracies are of all questions and, where they have one, of their task.
func TestAccuracyOfQuestionsWithoutATask(t *testing.T) {
	root := dataFolder(t, map[string][]dataRow{
		"train": {{picture: 1, question: "q", answer: "a"}, {picture: 2, question: "q", answer: "a"}},
		"test": {{picture: 3, question: "q", answer: "a", task: "t"}, {picture: 3, question: "q", answer: "a"}, {picture: 3, question: "q", answer: "a"},
			{picture: 4, question: "q", answer: "a", category: "c"}},
	})
	split := openSmall(t, root).Test
	all, byCategory := marks{{true, false, false}, {true}}.accuracy(split)
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
	root := dataFolder(t, plainSplits())
	set := openSmall(t, root)
	var notes []string
	r := &run{cfg: &config.Config{}, set: set, validation: &corpus{split: set.Validation}, events: func(e Event) { notes = append(notes, e.(Note).Text) }}
	for range set.Validation.Len() {
		r.teacherMarks = append(r.teacherMarks, []bool{true, false})
	}
	r.noteTeacher()
	require.Len(t, notes, 1)
	assert.Contains(t, notes[0], "the teacher answers no validation question of shape right, so the gates prove nothing there; see whether data.prompt")
	r.teacherMarks[0][1] = true
	r.noteTeacher()
	assert.Len(t, notes, 1)
}
