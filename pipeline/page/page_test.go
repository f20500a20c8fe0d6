package page

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/data"
	"espalier/pipeline/datatest"
	"espalier/pipeline/measure"
	"espalier/pipeline/pagetest"
	"espalier/pipeline/report"
	"espalier/torch/disk"
)

// hostile is a text that a page must show and never obey.
const hostile = `</script><script>alert("x")</script><img src=x onerror=alert(1)> & 'quoted'`

// noStages is told of the runs here, whose chains have answers alone.
const noStages = "report.html is without how its stages went: the run's chain.json has no cut of stage blocks"

// said makes the marks of a network's answers, one a question, whose questions stand as they do in a split.
func said(split *data.Split, answers ...string) measure.Marks {
	m := measure.Marks{Right: make([]string, split.Len()), Said: make([][]string, split.Len()), Confidence: make([][]float64, split.Len())}
	for i := range split.Len() {
		for _, q := range split.Questions(i) {
			mark := "0"
			if data.Correct(answers[0], q.Answers) {
				mark = "1"
			}
			m.Right[i] += mark
			m.Said[i], m.Confidence[i] = append(m.Said[i], answers[0]), append(m.Confidence[i], .25)
			answers = answers[1:]
		}
	}
	return m
}

// finished is the folder of a run that might have been: its report, and what its chain has kept, by place.
func finished(t *testing.T, r *report.Report, keeps map[string]any) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "a run")
	require.NoError(t, disk.MkdirAll(folder))
	require.NoError(t, r.Write(filepath.Join(folder, "report.json")))
	var steps []map[string]any
	for at, value := range keeps {
		id := fmt.Sprintf("%s-%d", strings.Fields(at)[0], len(steps))
		steps = append(steps, map[string]any{"at": at, "id": id, "folder": "/nowhere"}) // as of a folder that was moved
		require.NoError(t, disk.MkdirAll(filepath.Join(folder, "kept", id)))
		writeJSON(t, filepath.Join(folder, "kept", id, "result.json"), map[string]any{"value": value})
	}
	writeJSON(t, filepath.Join(folder, "chain.json"), map[string]any{"version": 2, "steps": steps})
	return folder
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, disk.Write(path, text))
}

func read(t *testing.T) *report.Report {
	t.Helper()
	r, err := report.Read(filepath.Join("..", "..", "cmd", "pipeline", "testdata", "report.json"))
	require.NoError(t, err)
	return r
}

// Every text that a user gave is shown as it is and nowhere obeyed: of the data, the configuration, tasks and stages.
func TestHostileTexts(t *testing.T) {
	set := datatest.Black(t, datatest.Row{Picture: "a.png", Question: "is " + hostile, Answer: hostile, Task: hostile},
		datatest.Row{Picture: "a.png", Question: "which", Answer: "one", Task: "number"}, datatest.Row{Picture: "b.png", Question: "which", Answer: "two", Task: "number"})
	r := read(t)
	r.Config["note"] = hostile
	r.Versions[hostile] = hostile
	r.Teacher.Accuracy[hostile], r.Student.Accuracy[hostile] = .5, .4
	last := len(r.Stages) - 1
	r.Stages[last].Name = hostile
	folder := finished(t, r, map[string]any{"teacher on test": said(set.Test, hostile, "one", "two"), hostile + "/distilled on test": said(set.Test, "no "+hostile, "one", "three")})
	notes, err := Write(folder, set)
	require.NoError(t, err)
	assert.Equal(t, []string{noStages}, notes)
	p := pagetest.Check(t, filepath.Join(folder, Name))
	assert.Equal(t, 1, strings.Count(p.HTML, "<script"), "the page's own")
	assert.Contains(t, p.Text, strings.Join(strings.Fields("is "+hostile), " "))
	assert.Contains(t, p.Text, "no "+hostile)
	assert.Equal(t, 2, p.Cards)
	assert.Contains(t, p.Text, "2 of 2 pictures, with 3 of 3 questions")
	assert.Contains(t, p.HTML, `src="data:image/png;base64,`)
	lines, err := os.ReadFile(filepath.Join(folder, AnswersName))
	require.NoError(t, err)
	var all []Answered
	for line := range strings.Lines(string(lines)) {
		var a Answered
		require.NoError(t, json.Unmarshal([]byte(line), &a))
		all = append(all, a)
	}
	require.Len(t, all, 3)
	assert.Equal(t, Answered{Picture: 1, From: set.Test.Place(0, 0), Question: "is " + hostile, Accepted: []string{hostile}, Task: hostile,
		Teacher: hostile, Student: "no " + hostile, TeacherRight: true, TeacherConfidence: .25, StudentConfidence: .25}, all[0])
	assert.Equal(t, []any{2, "two", "three", true, false}, []any{all[2].Picture, all[2].Teacher, all[2].Student, all[2].TeacherRight, all[2].StudentRight})
}

// A part that a run does not have is left out, and so is what cannot be shown any more, which is told.
func TestPartsThatAreMissing(t *testing.T) {
	set := datatest.Black(t, datatest.Row{Picture: "a.png", Question: "which", Answer: "one"})
	r := read(t)
	answers := map[string]any{"teacher on test": said(set.Test, "one"), "hidden/distilled on test": said(set.Test, "two")}
	r.Stages[len(r.Stages)-1].Name = "hidden"
	whole := finished(t, r, answers)
	notes, err := Write(whole, set)
	require.NoError(t, err)
	assert.Equal(t, []string{noStages}, notes)
	p := pagetest.Check(t, filepath.Join(whole, Name))
	assert.Equal(t, []string{"stages", "tasks", "parts", "gallery", "run"}, p.Sections)
	assert.Contains(t, p.Text, "Accuracy by category")

	one := map[string]string{
		"the data are not there":                  "",
		`the run's chain.json has no "teacher on`: "chain",
		"the data have changed since":             "data",
		"now has 1 questions; 2 were measured":    "fewer",
	}
	for want, change := range one {
		keeps, with := answers, set
		switch change {
		case "":
			with = nil
		case "chain":
			keeps = nil
		case "data":
			keeps = map[string]any{"teacher on test": measure.Marks{Right: []string{"1"}, Said: [][]string{{"no"}}}, "hidden/distilled on test": said(set.Test, "two")}
		case "fewer":
			two := measure.Marks{Right: []string{"11"}, Said: [][]string{{"one", "one"}}}
			keeps = map[string]any{"teacher on test": two, "hidden/distilled on test": two}
		}
		folder := finished(t, r, keeps)
		notes, err := Write(folder, with)
		require.NoError(t, err)
		assert.Contains(t, strings.Join(notes, "\n"), want)
		assert.NoFileExists(t, filepath.Join(folder, AnswersName))
		p := pagetest.Check(t, filepath.Join(folder, Name))
		assert.NotContains(t, p.Sections, "gallery")
		assert.Contains(t, p.Text, want)
	}

	bare := *r // no tasks, no categories, no stage
	bare.Stages = nil
	bare.Teacher = report.Model{Parameters: 5, Accuracy: report.Accuracy{report.Overall: .5}, LatencyMS: report.Latency{P50: 1, P99: 1, Batch: 1}}
	bare.Student = bare.Teacher
	bare.Ratio = report.RatioOf(bare.Teacher, bare.Student)
	folder := finished(t, &bare, map[string]any{"teacher on test": said(set.Test, "one")})
	notes, err = Write(folder, set)
	require.NoError(t, err)
	assert.Empty(t, notes)
	p = pagetest.Check(t, filepath.Join(folder, Name))
	assert.Contains(t, p.Text, "Not accepted. No stage was accepted: the student is the teacher.")
	assert.Equal(t, []string{"stages", "gallery", "run"}, p.Sections)
}

// The gallery prefers what turned wrong, what else is wrong comes next, and a fair part is right; it takes from every task, whatever the data's order.
func TestWhatTheGalleryShows(t *testing.T) {
	var cards []card
	for i := range 900 {
		c := card{Number: i + 1, worst: bothRight, task: []string{"color", "logo", "rare"}[min(2, i/400)]}
		switch {
		case i%10 == 1:
			c.worst = turnedWrong
		case i%300 == 2:
			c.worst = turnedRight
		}
		cards = append(cards, c)
	}
	chosen := choose(cards, 7)
	require.Len(t, chosen, mostPictures)
	count, tasks, last := map[outcome]int{}, map[string]int{}, turnedWrong
	for _, c := range chosen {
		assert.GreaterOrEqual(t, c.worst, last, "the worst come first")
		last = c.worst
		count[c.worst]++
		if c.worst == turnedWrong {
			tasks[c.task]++
		}
	}
	assert.Equal(t, map[outcome]int{turnedWrong: 37, turnedRight: 3, bothRight: 20}, count)
	for task, n := range tasks {
		assert.GreaterOrEqual(t, n, 10, task)
	}
	assert.Equal(t, chosen, choose(cards, 7), "the same each time")

	few := choose(cards[:5], 7)
	assert.Len(t, few, 5)
}

// Of a picture with many questions those are shown that are most worth it, in their order.
func TestManyQuestions(t *testing.T) {
	c := card{}
	for i := range 20 {
		o := bothRight
		if i == 3 || i == 17 {
			o = turnedWrong
		}
		c.Asked = append(c.Asked, asked{Question: fmt.Sprint(i), Outcome: o, Accepted: []string{strings.Repeat("ä", 1000)}})
	}
	c.keepFew()
	require.Len(t, c.Asked, mostQuestions)
	assert.Equal(t, 14, c.More)
	assert.Equal(t, "3", c.Asked[3].Question)
	assert.Equal(t, "17", c.Asked[5].Question)
	assert.Equal(t, strings.Repeat("ä", mostRunes)+" …", c.Asked[0].Accepted[0])
}

// The configuration is shown as its file would have it.
func TestSettings(t *testing.T) {
	got := settings(map[string]any{"seed": 1., "data": map[string]any{"root": "a <b>", "vary": map[string]any{"noise": .5}},
		"stage": []any{map[string]any{"name": "blocks", "keep": map[string]any{"vision": "33%"}}, map[string]any{"name": "inner", "freeze": []any{"qformer"}}}})
	assert.Equal(t, `seed = 1

[data]
root = "a <b>"

[data.vary]
noise = 0.5

[[stage]]
name = "blocks"

[stage.keep]
vision = "33%"

[[stage]]
freeze = ["qformer"]
name = "inner"`, got)
}
