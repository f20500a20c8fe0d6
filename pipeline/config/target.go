package config

import (
	"fmt"
	"slices"

	"espalier/torch/nn"
)

// Want is a target's key and its value.
func (t *TargetConfig) Want() (key string, value float64) {
	switch {
	case t.Ratio != nil:
		return "ratio", *t.Ratio
	case t.LanguageRatio != nil:
		return "language_ratio", *t.LanguageRatio
	case t.Parameters != nil:
		return "parameters", float64(*t.Parameters)
	case t.Bytes != nil:
		return "bytes", float64(*t.Bytes)
	case t.LatencyMS != nil:
		return "latency_ms", *t.LatencyMS
	}
	return "", 0
}

func (t *TargetConfig) check(table *table) {
	given := 0
	for _, is := range []bool{t.Ratio != nil, t.LanguageRatio != nil, t.Parameters != nil, t.Bytes != nil, t.LatencyMS != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		table.fault("", "a target gives one of ratio, language_ratio, parameters, bytes, latency_ms; here are %d", given)
	}
}

// checkTargets holds the targets against each other.
func checkTargets(t *table, targets []TargetConfig) {
	seen := map[string]bool{}
	for i, target := range targets {
		switch {
		case len(targets) > 1 && target.Name == "":
			t.doc.add(fmt.Sprintf("target[%d].name", i), fmt.Sprintf("target[%d]: name: it is missing: several targets need names", i))
		case seen[target.Name]:
			t.doc.add(fmt.Sprintf("target[%d].name", i), fmt.Sprintf("target[%d]: name: %q is the name of two targets", i, target.Name))
		}
		seen[target.Name] = true
	}
}

// StagesOf are the stages, by number, that cut a kind of unit.
func StagesOf(kind nn.Kind, stages []StageConfig) (numbers []int) {
	for i, s := range stages {
		if slices.Contains(kindsOf[s.Name], kind) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}
