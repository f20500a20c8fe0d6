package measure

import (
	"strings"

	"espalier/pipeline/report"
)

// tokenMarks compares a greedy answer with the answer to learn, both without their end: "1" for each right token and "0" for each wrong
// one, the end last. An accepted answer is right throughout, in whatever words it is said.
func tokenMarks(learnt, said []int, accepted bool) string {
	var marks strings.Builder
	mark := func(right bool) {
		if right || accepted {
			marks.WriteByte('1')
		} else {
			marks.WriteByte('0')
		}
	}
	for k, id := range learnt {
		mark(k < len(said) && said[k] == id)
	}
	mark(len(said) == len(learnt))
	return marks.String()
}

// Positions says where the answers go wrong; nil where they have no several tokens.
func (m Marks) Positions() *report.Positions {
	var answers []string
	for _, picture := range m.Tokens {
		answers = append(answers, strings.Fields(picture)...)
	}
	return report.PositionsOf(answers)
}
