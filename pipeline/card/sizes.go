package card

import (
	"fmt"
	"strings"

	"espalier/model"
	"espalier/torch/nn"
)

// towers are the parts of a network that are cut, with the names that people give them.
var towers = []struct{ key, name string }{{"vision", "vision"}, {"qformer", "Q-Former"}, {"language", "language"}}

// kinds are what is counted of a tower.
var kinds = []struct {
	kind nn.Kind
	name string
}{
	{nn.Blocks, "blocks"}, {nn.Heads, "heads"}, {nn.KeySize, "head size"}, {nn.FFN, "FFN"}, {nn.Hidden, "width"},
	{nn.Queries, "query tokens"}, {nn.Vocabulary, "vocabulary"},
}

// part is a kind of unit of a tower.
type part struct {
	tower string
	kind  nn.Kind
}

// span are the fewest and the most units that the layers have.
type span struct{ low, high int }

func (s span) String() string {
	if s.low == s.high {
		return fmt.Sprint(s.low)
	}
	return fmt.Sprintf("%d–%d", s.low, s.high)
}

// sizesOf counts the units of a network. T5's two stacks count as layers of one tower.
func sizesOf(n model.Network) map[part]span {
	out := map[part]span{}
	for _, a := range n.Store().Axes() {
		units, key := a.Each(), part{a.Tower, a.Kind}
		if a.Kind == nn.KeySize {
			units *= a.Block() // rotary positions pair them
		}
		if s, ok := out[key]; ok {
			out[key] = span{min(s.low, units), max(s.high, units)}
		} else {
			out[key] = span{units, units}
		}
	}
	return out
}

// changes says in words what a stage changed: "vision: blocks 4 → 2; language: blocks 4 → 2".
func changes(before, after model.Network) string {
	was, is := sizesOf(before), sizesOf(after)
	var all []string
	for _, t := range towers {
		var of []string
		for _, k := range kinds {
			key := part{t.key, k.kind}
			if _, ok := was[key]; ok && was[key] != is[key] {
				of = append(of, fmt.Sprintf("%s %s → %s", k.name, was[key], is[key]))
			}
		}
		if len(of) > 0 {
			all = append(all, t.name+": "+strings.Join(of, ", "))
		}
	}
	if all == nil {
		return "nothing is cut"
	}
	return strings.Join(all, "; ")
}

// shape has a row of sizes for each tower.
func shape(n model.Network) (rows [][]string) {
	is := sizesOf(n)
	for _, t := range towers {
		var of []string
		for _, k := range kinds {
			if s, ok := is[part{t.key, k.kind}]; ok {
				of = append(of, fmt.Sprintf("%s %s", k.name, s))
			}
		}
		if len(of) > 0 {
			rows = append(rows, []string{t.name, strings.Join(of, ", ")})
		}
	}
	return rows
}
