package measure

import (
	"espalier/pipeline/data"
	"espalier/pipeline/metric"
	"espalier/pipeline/report"
)

// mean adds up to a mean.
type mean struct {
	sum float64
	n   int
}

// metrics are the means of metrics of free answers over a split's questions, by metric and by task; nil where none is asked for.
func (m Marks) metrics(split *data.Split, names []string) (map[string]report.Accuracy, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var answers []metric.Answer
	at := make([]int, len(m.Right)) // of each picture's first answer
	for p, said := range m.Said {
		at[p] = len(answers)
		for j, q := range split.Questions(p)[:len(said)] {
			answers = append(answers, metric.Answer{Said: said[j], Accepted: q.Answers})
		}
	}
	out := map[string]report.Accuracy{}
	for _, name := range names {
		scores, err := metric.Scores(name, answers)
		if err != nil {
			return nil, err
		}
		all, _ := sums(m, split, func(to *mean, p, j int) {
			to.sum += scores[at[p]+j]
			to.n++
		})
		out[name] = report.Accuracy{}
		for task, of := range all {
			out[name][task] = of.sum / float64(of.n)
		}
	}
	return out, nil
}
