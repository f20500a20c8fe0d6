package needs

import (
	"fmt"
	"slices"

	"espalier/pipeline/metric"
)

// checkMetrics refuses VQA accuracy where it is not defined.
func (in Input) checkMetrics() error {
	if !slices.Contains(in.Config.Eval.Metrics, "vqa") {
		return nil
	}
	split := in.Test.Split
	for p := range split.Len() {
		for j, q := range split.Questions(p) {
			if n := len(q.Answers); n != metric.VQAAnswers {
				return fmt.Errorf(`data: %s: eval.metrics has "vqa", which is defined for the answers of %d people, and the question has %d; give "answers" as VQA does, or leave "vqa" out`,
					split.Place(p, j), metric.VQAAnswers, n)
			}
		}
	}
	return nil
}
