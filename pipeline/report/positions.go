package report

import (
	"fmt"
	"strconv"
)

// Positions says where greedy answers go wrong. Each token is compared with the one at its place in the answer to learn, in which the
// end counts as a token. An answer that has ended too early is wrong from there on.
type Positions struct {
	Answers int       `json:"answers"`
	Tokens  []AtToken `json:"tokens"` // from the first token on

	// AfterError is the share of wrong tokens among those behind an answer's first wrong one. WithoutError is the share at the same
	// places, weighted alike, among answers that were right up to there. Both are nil where no answer goes on behind an error.
	AfterError   *float64     `json:"after_error,omitempty"`
	WithoutError *float64     `json:"without_error,omitempty"`
	ByFirst      []AfterFirst `json:"by_first,omitempty"`
}

// AtToken is one place of the answers. Late places are those of long answers alone.
type AtToken struct {
	Answers  int     `json:"answers"` // that have a token there
	Accuracy float64 `json:"accuracy"`
}

// AfterFirst is what becomes of the answers whose first wrong token is this one, counted from 1.
type AfterFirst struct {
	Token   int       `json:"token"`
	Answers int       `json:"answers"`
	Wrong   []float64 `json:"wrong"` // share of wrong tokens at each later place, among those that have one there
}

// PositionsOf counts answers, each written as "1" for each right token and "0" for each wrong one, its end last. It is nil where no
// answer has several tokens before its end.
func PositionsOf(answers []string) *Positions {
	longest := 0
	for _, a := range answers {
		longest = max(longest, len(a))
	}
	if longest < 3 {
		return nil
	}
	p := &Positions{Tokens: make([]AtToken, longest)}
	clean := make([]tokenCount, longest)   // answers that were right up to the place
	later := make([][]tokenCount, longest) // by first error and place
	for k := range later {
		later[k] = make([]tokenCount, longest)
	}
	for _, a := range answers {
		if a == "" {
			continue
		}
		p.Answers++
		first := -1
		for k, mark := range a {
			wrong := mark == '0'
			p.Tokens[k].Answers++
			if !wrong {
				p.Tokens[k].Accuracy++
			}
			if first < 0 {
				clean[k].add(wrong)
				if wrong {
					first = k
				}
			} else {
				later[first][k].add(wrong)
			}
		}
	}
	for k := range p.Tokens {
		p.Tokens[k].Accuracy /= float64(p.Tokens[k].Answers)
	}
	p.propagation(clean, later)
	return p
}

// propagation compares the tokens behind an error with those at the same places without one.
func (p *Positions) propagation(clean []tokenCount, later [][]tokenCount) {
	var after, without, places float64
	for first, row := range later {
		if clean[first].wrong == 0 {
			continue
		}
		by := AfterFirst{Token: first + 1, Answers: clean[first].wrong, Wrong: []float64{}}
		for k, t := range row {
			if t.asked == 0 {
				continue
			}
			by.Wrong = append(by.Wrong, t.share())
			if clean[k].asked > 0 { // else there is nothing to compare with
				after, places = after+float64(t.wrong), places+float64(t.asked)
				without += float64(t.asked) * clean[k].share()
			}
		}
		p.ByFirst = append(p.ByFirst, by)
	}
	if places > 0 {
		after, without = after/places, without/places
		p.AfterError, p.WithoutError = &after, &without
	}
}

// tokenCount counts tokens.
type tokenCount struct{ wrong, asked int }

func (t *tokenCount) add(wrong bool) {
	t.asked++
	if wrong {
		t.wrong++
	}
}

func (t tokenCount) share() float64 { return float64(t.wrong) / float64(t.asked) }

// mostShownTokens is how many places a table has.
const mostShownTokens = 9

// positionTable has the accuracy of each token of the teacher's answers and of those after each stage.
func positionTable(r *Report) Table {
	t := Table{About: "answers", Title: "Answers token by token on the test split (%); wrong: tokens behind an error, and at the same places without one"}
	t.column("stage", "", true)
	names, models := r.measured()
	places := min(mostShownTokens, len(r.Teacher.Positions.Tokens))
	for k := range places {
		t.column(strconv.Itoa(k+1), "token", false)
	}
	t.column("wrong after error", "error", false)
	t.column("without", "error", false)
	for i, m := range models {
		if m.Positions == nil {
			continue
		}
		row := []string{names[i]}
		for _, at := range m.Positions.Tokens[:places] {
			row = append(row, fmt.Sprintf("%.1f", 100*at.Accuracy))
		}
		t.Rows = append(t.Rows, append(row, shown(m.Positions.AfterError), shown(m.Positions.WithoutError)))
	}
	return t
}

func shown(of *float64) string {
	if of == nil {
		return none
	}
	return fmt.Sprintf("%.1f", 100**of)
}
