package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"espalier/pipeline/data"
)

// joined are the answers whose ids do not follow those of their prompt: the tokenizer joins the two at the border.
type joined struct {
	count int
	first []string // the first few, with their places
}

const fewJoined = 3

func (j *joined) add(place string, q data.Question) {
	if j.count++; len(j.first) < fewJoined {
		j.first = append(j.first, fmt.Sprintf("%s: %q to %q", place, q.Answers[0], q.Text))
	}
}

// noteJoined says once, for all splits, which answers do not follow their prompt.
func (r *run) noteJoined() {
	var all joined
	for _, c := range []*corpus{r.train, r.validation, r.test, r.ood} {
		if c != nil {
			all.count += c.joined.count
			all.first = append(all.first, c.joined.first...)
		}
	}
	if all.count == 0 {
		return
	}
	all.first = all.first[:min(len(all.first), fewJoined)]
	r.events.Emit(Note{fmt.Sprintf("the tokenizer joins the end of the prompt with the beginning of the answer for %d answers, which are learnt as they follow "+
		"the prompt without the white space at its end, or alone; let the prompt end in a visible character. The first: %s", all.count, strings.Join(all.first, "; "))})
}

// otherForm counts answers of the teacher that say the same as the data's in other tokens: then the student is taught
// words that its teacher never says.
type otherForm struct {
	count, same int
	first       string
}

// hear compares the teacher's ids with those of the answer to learn.
func (o *otherForm) hear(c *corpus, p, j int, ids []int) {
	q := c.split.Questions(p)[j]
	if len(q.Answers) == 0 || !data.Correct(c.words.Answers.Decode(ids), q.Answers[:1]) {
		return
	}
	want := c.learnt(p, j)
	if slices.Equal(ids, want) {
		o.same++
		return
	}
	if o.count++; o.count == 1 {
		written := c.words.Answers.Decode(want)
		if !data.Correct(written, q.Answers[:1]) { // the tokenizer cannot write it
			written = q.Answers[0]
		}
		o.first = fmt.Sprintf("%s: the teacher says %q (ids %v), the data %q (ids %v)", c.split.Place(p, j),
			c.words.Answers.Decode(ids), ids, written, want)
	}
}

func (o *otherForm) String() string {
	return fmt.Sprintf("%d of the teacher's %d right answers on validation differ from the data's in form alone, and students learn the data's; "+
		"write the answers as the teacher does. The first: %s", o.count, o.count+o.same, o.first)
}
