package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/pipeline/report"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// dataRow is a line of a metadata.jsonl; picture is the level of a flat picture of that name.
type dataRow struct {
	picture        int
	question       string
	answer         any
	task, category string
}

// dataFolder writes a data set of flat pictures.
func dataFolder(t *testing.T, splits map[string][]dataRow) string {
	t.Helper()
	root := t.TempDir()
	for split, rows := range splits {
		require.NoError(t, os.MkdirAll(filepath.Join(root, split), 0o755))
		var lines strings.Builder
		for _, r := range rows {
			name := fmt.Sprintf("%s-%d.png", split, r.picture)
			img := image.NewNRGBA(image.Rect(0, 0, 8, 8))
			for i := range 64 {
				img.Set(i%8, i/8, color.NRGBA{uint8(r.picture), uint8(10 * r.picture), 7, 255})
			}
			file, err := os.Create(filepath.Join(root, split, name))
			require.NoError(t, err)
			require.NoError(t, png.Encode(file, img))
			require.NoError(t, file.Close())
			fields := map[string]any{"file_name": name, "question": r.question}
			if r.answer != nil {
				fields["answer"] = r.answer
			}
			if r.task != "" {
				fields["task"] = r.task
			}
			if r.category != "" {
				fields["category"] = r.category
			}
			text, err := json.Marshal(fields)
			require.NoError(t, err)
			fmt.Fprintf(&lines, "%s\n", text)
		}
		require.NoError(t, os.WriteFile(filepath.Join(root, split, "metadata.jsonl"), []byte(lines.String()), 0o644))
	}
	return root
}

// plainSplits has two questions on each of a few pictures, other pictures in each split.
func plainSplits() map[string][]dataRow {
	out := map[string][]dataRow{}
	for s, split := range []string{"train", "validation", "test"} {
		for p := range 8 - 2*s {
			out[split] = append(out[split],
				dataRow{picture: 10*s + p, question: "what colour is it", answer: "it is red", task: "colour", category: "plain"},
				dataRow{picture: 10*s + p, question: "which shape", answer: []string{"a large square", "square"}, task: "shape", category: "plain"})
		}
	}
	return out
}

// small is a run of a second on a data folder, with a teacher that learns nothing.
const smallRun = `
threads = 1
device = "cpu"
[data]
size = 8
[importance]
pictures = 4
batch = 4
[teacher.train]
vision   = { width = 8, layers = 2, heads = 2, head_size = 4, ffn = 8, patch = 4 }
qformer  = { width = 8, layers = 2, heads = 2, head_size = 4, ffn = 8, queries = 2, cross_every = 2 }
language = { width = 8, layers = 2, heads = 2, head_size = 4, ffn = 8, positions = 16 }
pretrain_steps = 2
steps = 2
refine_steps = 1
batch = 4
[[stage]]
name = "blocks"
criterion = "magnitude"
keep = { vision = 1, language = 1 }
alpha = 1.0
[stage.distil]
steps = 2
batch = 4
[eval]
batch = 4
latency_runs = 1
latency_warmup = 0
throughput_batch = 2
max_answer_tokens = 4
`

// runOn is a run on a data folder; it gives the notes as well.
func runOn(t *testing.T, root, text string, set ...string) (*report.Report, []string, error) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cfg, err := Parse("small.toml", text, append([]string{"data.root=" + root, "output=" + filepath.Join(t.TempDir(), "run")}, set...)...)
	require.NoError(t, err)
	var notes []string
	r, err := Run(context.Background(), cfg, func(e Event) {
		if n, ok := e.(Note); ok {
			notes = append(notes, strings.ReplaceAll(n.Text, root+"/", ""))
		}
		if p, ok := e.(Phase); ok && p.Stage != "" {
			notes = append(notes, "computed")
		}
	})
	return r, notes, err
}

// fault is the text of a fault in what the user gave, found before anything was computed.
func faultOf(t *testing.T, root, text string, set ...string) string {
	t.Helper()
	_, notes, err := runOn(t, root, text, set...)
	var input *InputError
	require.ErrorAs(t, err, &input)
	assert.NotContains(t, notes, "computed")
	return strings.ReplaceAll(err.Error(), root+"/", "")
}

// loaded is smallRun with the teacher of another run's folder in place of [teacher.train].
func loaded(teacher string) string {
	a, b := strings.Index(smallRun, "[teacher.train]"), strings.Index(smallRun, "[[stage]]")
	return smallRun[:a] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + smallRun[b:]
}

// smallTeacher is a checkpoint for a data folder.
func smallTeacher(t *testing.T, root string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "first")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cfg, err := Parse("small.toml", smallRun, "data.root="+root, "output="+out)
	require.NoError(t, err)
	_, err = Run(context.Background(), cfg, nil)
	require.NoError(t, err)
	return filepath.Join(out, "teacher")
}

func openSmall(t *testing.T, root string) *data.Dataset {
	t.Helper()
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	return set
}

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
			r := &run{cfg: &Config{}, device: torch.CPU, set: openSmall(t, dataFolder(t, map[string][]dataRow{"train": rows, "validation": rows[1:2], "test": rows[1:2]}))}
			r.words.Answers = r.set.Tokenizer
			var err error
			r.train, err = newCorpus(r.set.Train, r.words, r.pre, model.Form{}, torch.CPU)
			require.NoError(t, err)
			c, err := DefaultTrain().modelConfig(8, r.words.Answers)
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

// A bound that cuts the data's answers off is refused; one that leaves no room for the end is noted.
func TestAnswersLongerThanTheBound(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	assert.Equal(t, `data: 6 of 12 validation answers need up to 4 tokens (the end included), eval.max_answer_tokens is 2; `+
		`first: validation/metadata.jsonl:1 "it is red"; set eval.max_answer_tokens = 4
data: 4 of 8 test answers need up to 4 tokens (the end included), eval.max_answer_tokens is 2; `+
		`first: test/metadata.jsonl:1 "it is red"; set eval.max_answer_tokens = 4`, faultOf(t, root, smallRun, "eval.max_answer_tokens=2"))
	r, notes, err := runOn(t, root, smallRun, "eval.max_answer_tokens=3")
	require.NoError(t, err)
	require.NotNil(t, r)
	assert.Contains(t, notes, "4 of 8 test answers take all of eval.max_answer_tokens = 3, so nothing is seen of what a network says after them; "+
		"set eval.max_answer_tokens = 4")
	_, notes, err = runOn(t, root, smallRun, "eval.max_answer_tokens=4")
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(notes, "\n"), "max_answer_tokens")

	splits := plainSplits()
	for i := range splits["validation"] { // a full stop is not part of an answer, and of several answers the shortest will do
		splits["validation"][i].answer = []string{"it is red by and large", "by red ."}
	}
	splits["train"][1].answer = "a very very large square" // learnt at its full length
	splits["test"] = splits["test"][1:2]
	splits["ood"] = []dataRow{{picture: 77, question: "which shape", answer: "it is a very very very large square"}}
	root = dataFolder(t, splits)
	assert.Equal(t, `data: 1 of 1 ood answers need up to 9 tokens (the end included), eval.max_answer_tokens is 2; `+
		`first: ood/metadata.jsonl:1 "it is a very very very large square"; set eval.max_answer_tokens = 9`,
		faultOf(t, root, smallRun, "eval.max_answer_tokens=2"))
}

// Questions that the table of positions does not hold are named with their lines, and the remedy is one that the run has.
func TestQuestionsLongerThanThePositions(t *testing.T) {
	torchtest.Setup(t)
	splits := plainSplits()
	teacher := smallTeacher(t, dataFolder(t, splits))
	long := "what colour is it" + strings.Repeat(" colour", 8) // 12 words, 2 queries, 3 words of the answer
	splits["train"][4].question = long
	root := dataFolder(t, splits)
	assert.Equal(t, "data: train/metadata.jsonl:5: the question needs 17 positions (2 for the picture, 12 for the question, 3 for its answer), "+
		"the language model has 16; shorten it or leave it out", faultOf(t, root, loaded(teacher)))
	assert.Equal(t, "data: train/metadata.jsonl:5: the question needs 17 positions (2 for the picture, 12 for the question, 3 for its answer), "+
		"the language model has 16; shorten it or leave it out, or raise teacher.train.language.positions to 17", faultOf(t, root, smallRun))
	_, _, err := runOn(t, root, smallRun, "teacher.train.language.positions=17")
	require.NoError(t, err, "the remedy helps")

	for i := range splits["test"] {
		splits["test"][i].question = long + " colour"
	}
	splits["test"][1].question = long + " colour colour"
	lines := strings.Split(faultOf(t, dataFolder(t, splits), loaded(teacher)), "\n")
	require.Len(t, lines, 4, "a few lines and the number of the others")
	assert.Contains(t, lines[1], "data: test/metadata.jsonl:1: ")
	assert.Equal(t, "data: and 6 questions more, of which the longest needs 19", lines[3])

	// A prompt counts.
	framed := loaded(teacher)
	splits = plainSplits()
	fault := faultOf(t, dataFolder(t, splits), framed, "data.prompt=what colour is it what colour is it {question} is")
	assert.Contains(t, fault, "data: train/metadata.jsonl:1: the question needs 18 positions (2 for the picture, 13 for the question with data.prompt, 3 for its answer)")
}

// What is generated must fit as well: a network that was just cut may not stop before it has to.
func TestGenerationWithinThePositions(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	teacher := smallTeacher(t, root)
	assert.Equal(t, "data: the picture's 2 tokens, the longest question's 4 and the 12 that an answer may have need 17 positions, "+
		"the language model has 16; set eval.max_answer_tokens = 11", faultOf(t, root, loaded(teacher), "eval.max_answer_tokens=12"))
	r, _, err := runOn(t, root, loaded(teacher), "eval.max_answer_tokens=11")
	require.NoError(t, err, "the remedy helps")
	require.NotNil(t, r)
	assert.Contains(t, faultOf(t, root, smallRun, "eval.max_answer_tokens=12"), "set eval.max_answer_tokens = 11, or raise teacher.train.language.positions to 17")

	// A training question without an answer takes the teacher's, with an end.
	splits := plainSplits()
	splits["train"][0].answer = nil
	assert.Contains(t, faultOf(t, dataFolder(t, splits), loaded(teacher), "eval.max_answer_tokens=11"), "set eval.max_answer_tokens = 10")
}

// A Q-Former that reads the question has positions of its own.
func TestQuestionsLongerThanTheQFormers(t *testing.T) {
	splits := plainSplits()
	set := openSmall(t, dataFolder(t, splits))
	r := &run{cfg: &Config{}, set: set, train: &corpus{split: set.Train}}
	for range set.Train.Len() {
		r.train.questions = append(r.train.questions, []model.Question{{Instruction: make([]int, 16)}, {Instruction: make([]int, 5)}})
	}
	c := &model.Config{QFormer: model.QFormerConfig{Positions: 16}}
	require.NoError(t, r.checkInstructions(c))
	r.train.questions[2][1].Instruction = make([]int, 17)
	assert.Regexp(t, "train/metadata.jsonl:6: the question has 17 tokens, the Q-Former has 16 positions; shorten it or leave it out$", r.checkInstructions(c).Error())
}

// The table's last position can be used and the next one cannot: what checkPositions reckons is what the network does.
func TestPositionsAreReckonedAsTheNetworkDoes(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	m, err := model.Load(smallTeacher(t, root), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	generate := func(tokens int) error {
		return torch.Run(func(*torch.Scope) error {
			_, err := m.Generate(torch.Zeros([]int{1, 3, 8, 8}, torch.Float32, torch.CPU), [][]model.Question{{{Prompt: []int{3, 4, 5, 6}}}},
				model.GenerateOptions{MaxTokens: tokens, MinTokens: tokens, EOS: 1})
			return err
		})
	}
	require.NoError(t, generate(11))
	require.ErrorContains(t, generate(12), "longer than the language model's 16 positions")
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
	assert.Contains(t, text, "1 of 9 test questions cannot be answered right: the vocabulary lacks a word of each answer (first: test/metadata.jsonl:3)")
	assert.Contains(t, text, "the teacher answers no validation question right, so the gates prove nothing; raise teacher.train.steps")
}

// A task that the teacher cannot do at all is hidden by the others in the overall figure.
func TestTaskThatTheTeacherCannotDo(t *testing.T) {
	root := dataFolder(t, plainSplits())
	set := openSmall(t, root)
	var notes []string
	r := &run{cfg: &Config{}, set: set, validation: &corpus{split: set.Validation}, events: func(e Event) { notes = append(notes, e.(Note).Text) }}
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
