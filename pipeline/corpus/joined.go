package corpus

import (
	"fmt"
	"strings"

	"espalier/pipeline/data"
)

// Joined are the answers whose ids do not follow those of their prompt: the tokenizer joins the two at the border.
type Joined struct {
	count int
	first []string // the first few, with their places
}

const fewJoined = 3

func (j *Joined) add(place string, q data.Question) {
	if j.count++; len(j.first) < fewJoined {
		j.first = append(j.first, fmt.Sprintf("%s: %q to %q", place, q.Answers[0], q.Text))
	}
}

// JoinedNote says once, for all splits, which answers do not follow their prompt; it is empty where all do.
func JoinedNote(splits ...*Corpus) string {
	var all Joined
	for _, c := range splits {
		all.count += c.Joined.count
		all.first = append(all.first, c.Joined.first...)
	}
	if all.count == 0 {
		return ""
	}
	all.first = all.first[:min(len(all.first), fewJoined)]
	return fmt.Sprintf("the tokenizer joins the end of the prompt with the beginning of the answer for %d answers, which are learnt as they follow "+
		"the prompt without the white space at its end, or alone; let the prompt end in a visible character. The first: %s", all.count, strings.Join(all.first, "; "))
}
