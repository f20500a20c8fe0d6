// Package card writes a student's model card: the README.md that Hugging Face shows above a checkpoint's files. A card is a function of
// what a configuration and its data give; it has no times, which are others in each run and stand in report.json.
package card

import (
	"fmt"
	"slices"
	"strings"

	"espalier/model"
	"espalier/pipeline/report"
)

// Name is the card's file in a checkpoint's folder.
const Name = "README.md"

// validation is the split that gates look at.
const validation = "validation"

// Card is what a model card tells. Texts are as the user wrote them.
type Card struct {
	Network   model.Network // the student, which may have no values
	Teacher   string        // its name; "" where the run trained it
	TeacherID string        // the teacher's on Hugging Face; "" where nothing says it
	Data      string
	Answered  []report.Answered // split by split; within each all questions first
	Before    report.Model      // the teacher's sizes
	After     report.Model      // the student's
	Stages    []Stage
	Accepted  *report.Gate // of the last stage that was accepted; nil: none was, and the student is the teacher
	Target    *report.Target
	DType     string // of the weights
	Seed      int
	MaxTokens int // of an answer, its end included

	WordList   bool   // the tokenizer is a list of words
	Unloadable string // why plain transformers does not load the folder; "" where it does
	Rewrite    string // command that writes FOLDER as float32 into NEW, where that mends it; else ""
}

// Stage is a stage of the run that made the student.
type Stage struct {
	report.Stage
	Before, After model.Network // without values
	Scored        string        // by which criterion and loss
	Steps         int           // of distillation
}

// Text is the card. The same values give the same text.
func (c *Card) Text() (string, error) {
	own := *c
	c = &own
	c.Teacher, c.Data, c.Answered = short(c.Teacher), short(c.Data), slices.Clone(c.Answered)
	for i := range c.Answered {
		c.Answered[i].Task = short(c.Answered[i].Task)
	}
	front, err := front(c)
	if err != nil {
		return "", err
	}
	sections := []string{front + "\n# " + md(c.title()) + "\n", about(c), accuracy(c), making(c), use(c), limits(c), blanks(c)}
	return strings.Join(slices.DeleteFunc(sections, func(s string) bool { return s == "" }), "\n"), nil
}

// sees tells whether questions are about pictures.
func (c *Card) sees() bool { return c.Network.Config().Towers() }

func (c *Card) data() string {
	if slices.Contains([]string{"", ".", "..", "/"}, c.Data) {
		return "data"
	}
	return c.Data
}

func (c *Card) title() string {
	name := c.Teacher
	if name == "" {
		name = fmt.Sprintf("%s for %s", c.Network.Config().Family(), c.data())
	}
	if c.Accepted == nil {
		return name + ", not pruned"
	}
	return fmt.Sprintf("%s, %.1f times smaller", name, report.RatioOf(c.Before, c.After).Model)
}

// about says what the model is and how large.
func about(c *Card) string {
	n := c.Network.Config()
	teacher := "a teacher that was trained for it"
	if c.Teacher != "" {
		teacher = "the teacher " + md(c.Teacher)
	}
	kind := "a " + n.Family()
	if strings.ContainsRune("AEIOU", rune(n.Family()[0])) {
		kind = "an " + n.Family()
	}
	what := "questions"
	if c.sees() {
		what = fmt.Sprintf("questions about pictures, which it sees at %d × %[1]d pixels", n.Vision.Image)
	}
	var out strings.Builder
	if c.Accepted == nil {
		fmt.Fprintf(&out, "This is %s, as it was before any pruning: no stage of the run was accepted. It is %s that answers %s.\n", teacher, kind, what)
	} else {
		fmt.Fprintf(&out, "This is %s that answers %s. It was pruned from %s and then distilled from it, with Espalier.\n", kind, what, teacher)
	}
	if t := c.Target; t != nil {
		fmt.Fprintf(&out, "The run was asked for a student with %s = %g.\n", md(t.Key), t.Want)
	}
	fmt.Fprintf(&out, "\n%s\nWeights are %s. What is left of each tower:\n\n%s", table(report.SizeTable(c.Before, c.After)), c.DType,
		table(report.Table{Columns: columns([]string{"tower", "sizes"}, nil), Rows: shape(c.Network)}))
	return out.String()
}

// accuracy has the answers that are right, and the last gate's verdict.
func accuracy(c *Card) string {
	var out strings.Builder
	fmt.Fprintf(&out, "## Accuracy\n\nPercent of the answers to the questions of %s that are right, and the student's change in points. An answer is right where it is an accepted one after "+
		"Unicode NFC, in lower case, with single spaces and without final punctuation. Answers are greedy, with at most %d tokens.\n\n%s",
		md(c.data()), c.MaxTokens, table(report.AnsweredTable(c.Answered)))
	if c.Accepted != nil {
		fmt.Fprintf(&out, "\nThe last gate's verdict is **%s**: %s. Gates decide on the validation split, so rely on the test split's figures.\n", c.Accepted.Verdict, md(c.Accepted.Sentence(c.asked(validation))))
		for _, task := range c.Accepted.Collapsed {
			fmt.Fprintf(&out, "The task %s lost a third or more of what the teacher answers right.\n", md(task))
		}
	}
	if all, ok := c.After.Flips[report.Overall]; ok && c.Accepted != nil {
		fmt.Fprintf(&out, "\nOf %d answers to the test split, %d turned from right to wrong against the teacher's, and %d from wrong to right.\n",
			all.Questions, all.RightToWrong, all.WrongToRight)
	}
	return out.String()
}

// asked is what a split has of pictures, or of questions where there are none.
func (c *Card) asked(split string) string {
	i := slices.IndexFunc(c.Answered, func(a report.Answered) bool { return a.Split == split })
	switch {
	case i < 0:
		return ""
	case c.Answered[i].Pictures > 0:
		return fmt.Sprintf("%d pictures", c.Answered[i].Pictures)
	}
	return fmt.Sprintf("%d questions", c.Answered[i].Questions)
}

// making has what each stage did.
func making(c *Card) string {
	t := report.Table{Columns: append(columns([]string{"stage", "what was cut", "scored by"}, []string{"cuts", "steps of distillation", "parameters", "test accuracy, %"}),
		report.Column{Head: "gate", Left: true})}
	for i, s := range c.Stages {
		parameters, accuracy, gate := s.Cells()
		cut := "–" // a stage that was left out leaves no network
		if s.Accepted {
			cut = changes(s.Before, s.After)
		}
		t.Rows = append(t.Rows, []string{fmt.Sprintf("%d %s", i+1, s.Name), cut, s.Scored, fmt.Sprint(len(s.Cuts)), fmt.Sprint(s.Steps), parameters, accuracy, gate})
	}
	worst := 0.
	for _, s := range c.Stages {
		worst = max(worst, s.SliceMaskMaxDiff)
	}
	return fmt.Sprintf("## How it was made\n\nEach stage scores the units of the network on training data, cuts those with the lowest scores, proves that the cut network computes what the whole one did with "+
		"these units masked, and distils from the teacher. Here the two differ by %.1e of the largest logit at most, in float64. The seed is %d.\n\n%s", worst, c.Seed, table(t))
}
