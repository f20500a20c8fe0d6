package page

import (
	"errors"
	"fmt"
	"html/template"
	"slices"

	"espalier/pipeline/data"
	"espalier/pipeline/measure"
	"espalier/pipeline/random"
	"espalier/pipeline/report"
)

// gallery is some pictures of the test split with the answers to their questions.
type gallery struct {
	Cards             []card
	Tasks, Categories []string
	Counts            []outcomeCount
	Pictures          int // of the split
	Questions         int // of these
	Shown             int // questions that the page has
}

// card is a picture with its questions.
type card struct {
	Number  int // in the split, from 1
	Picture template.URL
	Side    int // pixels; 0 where the data have no pictures
	Asked   []asked
	More    int // questions that are left out

	worst outcome
	task  string // of a question that came out so
}

// asked is a question with both answers to it.
type asked struct {
	Question, Task, Category string
	Accepted                 []string
	Teacher, Student         answer
	Outcome                  outcome
	Changed                  bool // the student says something else
}

type answer struct {
	Text  string
	Right bool
}

// outcome is how a question came out, from what is most worth looking at.
type outcome int

const (
	turnedWrong outcome = iota
	turnedRight
	bothWrong
	bothRight
	outcomes
)

func (o outcome) String() string {
	return [...]string{"turned wrong", "turned right", "both wrong", "both right"}[o]
}

// Class is the outcome for the page's script and style.
func (o outcome) Class() string {
	return [...]string{"turned-wrong", "turned-right", "both-wrong", "both-right"}[o]
}

// outcomeCount is how many questions of the split came out so.
type outcomeCount struct {
	Outcome      outcome
	Means        string
	Count, Shown int
}

// share are the pictures of the gallery by what is the worst in each; what is not used goes to the others.
var share = [outcomes]int{turnedWrong: 22, turnedRight: 8, bothWrong: 10, bothRight: 20}

const (
	mostPictures  = 60
	mostQuestions = 6   // of a picture
	mostRunes     = 500 // of a text
)

// galleryOf chooses the pictures; a run without answers to show has no gallery.
func galleryOf(r *report.Report, cards []card, set *data.Dataset) (_ *gallery, err error) {
	g := &gallery{Pictures: len(cards)}
	var counts [outcomes]outcomeCount
	for _, c := range cards {
		g.Questions += len(c.Asked)
		for _, a := range c.Asked {
			counts[a.Outcome].Count++
		}
	}
	chosen := choose(cards, random.Stream(r.Seed, "gallery"))
	for i := range chosen {
		chosen[i].keepFew()
	}
	g.Cards, err = withPictures(chosen, set)
	if err != nil {
		return nil, err
	}
	tasks, categories := map[string]bool{}, map[string]bool{}
	for _, c := range g.Cards {
		for _, a := range c.Asked {
			g.Shown++
			counts[a.Outcome].Shown++
			tasks[a.Task], categories[a.Category] = true, true
		}
	}
	g.Tasks, g.Categories = choices(tasks), choices(categories)
	for o, means := range [outcomes]string{"the teacher is right, the student is not", "the student is right, the teacher is not", "neither is right", "both are right"} {
		counts[o].Outcome, counts[o].Means = outcome(o), means
		g.Counts = append(g.Counts, counts[o])
	}
	return g, nil
}

// choices are what can be filtered by, in order; nil where there is nothing to choose.
func choices(of map[string]bool) (out []string) {
	for name := range of {
		if name != "" {
			out = append(out, name)
		}
	}
	if len(of) < 2 {
		return nil
	}
	slices.Sort(out)
	return out
}

// test is the test split's questions with the answers to them.
type test struct {
	cards            []card
	teacher, student measure.Marks
}

func (k kept) testOf(r *report.Report, set *data.Dataset) (t test, err error) {
	if set == nil {
		return t, errors.New("the data are not there")
	}
	if t.teacher, t.student, err = k.answersOf(r, prefixOf(r), set.Test.Name); err == nil {
		t.cards, err = cardsOf(set.Test, t.teacher, t.student)
	}
	return t, err
}

// cardsOf joins the questions of a split with the answers that were measured. These may be of a split whose pictures were divided: the questions
// come in the same order.
func cardsOf(split *data.Split, teacher, student measure.Marks) ([]card, error) {
	before, after := flat(teacher), flat(student)
	if n := split.QuestionCount(); len(before) != n || len(after) != n {
		return nil, fmt.Errorf("the split %s now has %d questions; %d were measured", split.Name, n, len(before))
	}
	cards := make([]card, split.Len())
	at := 0
	for i := range cards {
		c := card{Number: i + 1, worst: outcomes}
		for _, q := range split.Questions(i) {
			a := asked{Question: q.Text, Task: q.Task, Category: q.Category, Accepted: q.Answers, Teacher: before[at], Student: after[at]}
			if data.Correct(a.Teacher.Text, q.Answers) != a.Teacher.Right || data.Correct(a.Student.Text, q.Answers) != a.Student.Right {
				return nil, fmt.Errorf("the data have changed since they were measured: %s", split.Place(i, len(c.Asked)))
			}
			a.Outcome = outcomeOf(a.Teacher.Right, a.Student.Right)
			a.Changed = data.Normalize(a.Teacher.Text) != data.Normalize(a.Student.Text)
			if a.Outcome < c.worst {
				c.worst, c.task = a.Outcome, a.Task
			}
			c.Asked = append(c.Asked, a)
			at++
		}
		cards[i] = c
	}
	return cards, nil
}

func flat(m measure.Marks) (out []answer) {
	for p, said := range m.Said {
		for j, text := range said {
			out = append(out, answer{text, m.Right[p][j] == '1'})
		}
	}
	return out
}

func outcomeOf(teacher, student bool) outcome {
	switch {
	case teacher && student:
		return bothRight
	case teacher:
		return turnedWrong
	case student:
		return turnedRight
	}
	return bothWrong
}

// keepFew leaves the questions that are most worth looking at, in their order, and the beginnings of their texts.
func (c *card) keepFew() {
	if len(c.Asked) > mostQuestions {
		c.leaveOut()
	}
	for i := range c.Asked {
		a := &c.Asked[i]
		a.Question, a.Teacher.Text, a.Student.Text = beginning(a.Question), beginning(a.Teacher.Text), beginning(a.Student.Text)
		a.Accepted = slices.Clone(a.Accepted) // they are the split's
		for j, text := range a.Accepted {
			a.Accepted[j] = beginning(text)
		}
	}
}

func (c *card) leaveOut() {
	order := make([]int, len(c.Asked))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(c.Asked[a].Outcome) - int(c.Asked[b].Outcome) })
	order = order[:mostQuestions]
	slices.Sort(order)
	few := make([]asked, len(order))
	for i, at := range order {
		few[i] = c.Asked[at]
	}
	c.More, c.Asked = len(c.Asked)-len(few), few
}

func beginning(text string) string {
	if runes := []rune(text); len(runes) > mostRunes {
		return string(runes[:mostRunes]) + " …"
	}
	return text
}

// choose takes each outcome's share of pictures, spread over the tasks, in an order that has nothing to do with that of the data.
func choose(cards []card, seed uint64) []card {
	var by [outcomes]map[string][]int // pictures by their worst outcome and its task
	for _, i := range data.Order(len(cards), seed, 0) {
		if c := cards[i]; c.worst < outcomes {
			if by[c.worst] == nil {
				by[c.worst] = map[string][]int{}
			}
			by[c.worst][c.task] = append(by[c.worst][c.task], i)
		}
	}
	var queues [outcomes][]int
	for o := range queues {
		queues[o] = inTurn(by[o])
	}
	var taken [outcomes]int
	left := mostPictures
	for o := range taken {
		taken[o] = min(share[o], len(queues[o]))
		left -= taken[o]
	}
	for o := range taken {
		more := min(left, len(queues[o])-taken[o])
		taken[o] += more
		left -= more
	}
	var out []card
	for o := range taken {
		for _, i := range queues[o][:taken[o]] {
			out = append(out, cards[i])
		}
	}
	return out
}

// inTurn takes one of each task after another.
func inTurn(by map[string][]int) (out []int) {
	var tasks []string
	for task := range by {
		tasks = append(tasks, task)
	}
	slices.Sort(tasks)
	for round := 0; ; round++ {
		n := len(out)
		for _, task := range tasks {
			if round < len(by[task]) {
				out = append(out, by[task][round])
			}
		}
		if len(out) == n {
			return out
		}
	}
}
