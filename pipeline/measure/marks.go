// Package measure says how good, how large and how fast a network is.
package measure

import (
	"context"
	"fmt"
	"slices"

	"espalier/pipeline/chain"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
)

// Marks are a network's answers to a split, right or wrong, and what their form tells.
type Marks struct {
	Right      []string    // a picture's questions in their order, "1" for each right answer and "0" for each wrong one; empty where it was not asked
	Confidence [][]float64 // of the answers, likewise
	Form       Form
	Said       [][]string // the answers' texts, likewise
	// Tokens are those of the answers of each picture's questions, as tokenMarks writes them, with a blank behind each.
	Tokens []string
}

// Form counts the right answers that say the same as the data's in other tokens: then a student is taught words that its
// teacher never says.
type Form struct {
	Same, Other       int
	Picture, Question int   // of the first other one
	IDs               []int // what the network says there
}

// markInput is all that marks depend on.
type markInput struct {
	Network   *network.Held
	Questions *corpus.Corpus
	Some      []int // pictures that are asked about, in ascending order; nil: all
	Batch     int   // pictures that answer together
	MaxTokens int   // of an answer, its end included
}

var markStep = chain.Step[markInput, Marks]{Name: "answers", Compute: mark}

// mark answers every question of a split greedily and compares with the accepted answers.
func mark(ctx context.Context, w *chain.Work, in markInput) (Marks, error) {
	n, err := in.Network.Get()
	if err != nil {
		return Marks{}, err
	}
	c := in.Questions
	part := chain.Resume[Marks](w, "answers")
	pieces := w.Pieces("answers", in.Batch)
	m := part.Value
	if part.Done == 0 {
		n := c.Split.Len()
		m.Right, m.Tokens, m.Confidence, m.Said = make([]string, n), make([]string, n), make([][]float64, n), make([][]string, n)
	}
	pictures := data.Sequence(part.Done, c.Split.Len())
	if in.Some != nil {
		pictures = slices.Values(slices.DeleteFunc(slices.Clone(in.Some), func(p int) bool { return p < part.Done }))
	}
	err = c.EachOf(ctx, pictures, in.Batch, func(b *data.Batch) error {
		answers, confidence, err := corpus.AnswersWithConfidence(c, n, pieces, b, in.MaxTokens)
		if err != nil {
			return err
		}
		for i, p := range b.Index {
			m.Confidence[p] = confidence[i]
			for j, q := range c.Split.Questions(p) {
				said := c.Words.Answers.Decode(answers[i][j])
				mark, accepted := "0", data.Correct(said, q.Answers)
				if accepted {
					mark = "1"
				}
				m.Right[p] += mark
				m.Said[p] = append(m.Said[p], said)
				m.Tokens[p] += tokenMarks(c.Asked.Learnt(p, j), answers[i][j], accepted) + " "
				m.Form.Hear(c, p, j, answers[i][j])
			}
		}
		w.Events.Emit(c.Progress(b))
		part.Add(b.Index[len(b.Index)-1]+1, m)
		return ctx.Err()
	})
	if err != nil {
		part.Keep()
	}
	return m, err
}

// Hear compares a network's ids with those of the answer to learn.
func (f *Form) Hear(c *corpus.Corpus, p, j int, ids []int) {
	q := c.Split.Questions(p)[j]
	if len(q.Answers) == 0 || !data.Correct(c.Words.Answers.Decode(ids), q.Answers[:1]) {
		return
	}
	if slices.Equal(ids, c.Asked.Learnt(p, j)) {
		f.Same++
		return
	}
	if f.Other++; f.Other == 1 {
		f.Picture, f.Question, f.IDs = p, j, ids
	}
}

// Note says what the student would be taught in another form than its teacher's; it is empty where nothing is.
func (f Form) Note(c *corpus.Corpus) string {
	if f.Other == 0 {
		return ""
	}
	want, q := c.Asked.Learnt(f.Picture, f.Question), c.Split.Questions(f.Picture)[f.Question]
	written := c.Words.Answers.Decode(want)
	if !data.Correct(written, q.Answers[:1]) { // the tokenizer cannot write it
		written = q.Answers[0]
	}
	first := fmt.Sprintf("%s: the teacher says %q (ids %v), the data %q (ids %v)", c.Split.Place(f.Picture, f.Question),
		c.Words.Answers.Decode(f.IDs), f.IDs, written, want)
	return fmt.Sprintf("%d of the teacher's %d right answers on %s differ from the data's in form alone, and students learn the data's; "+
		"write the answers as the teacher does. The first: %s", f.Other, f.Other+f.Same, c.Split.Name, first)
}

func (m Marks) right(p, j int) bool { return m.Right[p][j] == '1' }

// Pairs joins the marks of teacher and student for the gate.
func Pairs(split *data.Split, teacher, student Marks) []report.Answer {
	var out []report.Answer
	for p := range teacher.Right {
		for j, q := range split.Questions(p) {
			out = append(out, report.Answer{Picture: split.Parts()[p].Picture, Task: q.Task, Teacher: teacher.right(p, j), Student: student.right(p, j)})
		}
	}
	return out
}
