// Package metric measures free answers against the accepted ones, as papers of the field do. docs/data.md has the formulas' sources.
package metric

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Answer is what a network said to a question, and what is accepted.
type Answer struct {
	Said     string
	Accepted []string
}

var byName = map[string]func([]Answer) []float64{
	"anls":    func(all []Answer) []float64 { return each(all, anls) },
	"rouge-l": func(all []Answer) []float64 { return each(all, rougeL) },
	"cider":   cider,
	"vqa":     func(all []Answer) []float64 { return each(all, vqa) },
}

// Scores are those of all answers by a metric's name. Of CIDEr, an answer's depends on all questions together.
func Scores(name string, all []Answer) ([]float64, error) {
	scores := byName[name]
	if scores == nil {
		return nil, fmt.Errorf("there is no metric %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(byName)), ", "))
	}
	return scores(all), nil
}

func each(all []Answer, score func(Answer) float64) []float64 {
	out := make([]float64, len(all))
	for i, a := range all {
		out[i] = score(a)
	}
	return out
}
