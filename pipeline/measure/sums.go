package measure

import (
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/report"
)

// sums adds something up over a split's questions that were asked, by task: over all categories, and for each.
func sums[T any](m Marks, split *data.Split, add func(sum *T, p, j int)) (all map[string]*T, byCategory map[string]map[string]*T) {
	all, byCategory = map[string]*T{}, map[string]map[string]*T{}
	of := func(tasks map[string]*T, task string) *T {
		if tasks[task] == nil {
			tasks[task] = new(T)
		}
		return tasks[task]
	}
	for p, asked := range m.Right {
		if asked == "" {
			continue
		}
		for j, q := range split.Questions(p) {
			for _, task := range taskKeys(q.Task) {
				add(of(all, task), p, j)
				if q.Category == "" {
					continue
				}
				if byCategory[q.Category] == nil {
					byCategory[q.Category] = map[string]*T{}
				}
				add(of(byCategory[q.Category], task), p, j)
			}
		}
	}
	return all, byCategory
}

func taskKeys(task string) []string {
	if task == "" || task == report.Overall {
		return []string{report.Overall}
	}
	return []string{report.Overall, task}
}

// tally counts right answers.
type tally struct{ right, asked int }

func (t *tally) add(right bool) {
	t.asked++
	if right {
		t.right++
	}
}

func (t *tally) share() float64 { return float64(t.right) / float64(t.asked) }

// Accuracy sums marks up by task, over all categories and for each.
func (m Marks) Accuracy(split *data.Split) (all report.Accuracy, byCategory map[string]report.Accuracy) {
	sum, sumOf := sums(m, split, func(t *tally, p, j int) { t.add(m.right(p, j)) })
	byCategory = map[string]report.Accuracy{}
	for category, tasks := range sumOf {
		byCategory[category] = accuracyOf(tasks)
	}
	if len(sum) > 0 {
		all = accuracyOf(sum)
	}
	return all, byCategory
}

func accuracyOf(tasks map[string]*tally) report.Accuracy {
	a := report.Accuracy{}
	for task, t := range tasks {
		a[task] = t.share()
	}
	return a
}

// byLength is the accuracy by the length of the answer to learn, shortest first. Lengths are in the network's tokens, the end left out.
func (m Marks) byLength(c *corpus.Corpus) (out []report.LengthAccuracy) {
	var lengths []tally // by tokens
	for p := range m.Right {
		for j := range m.Right[p] {
			n := len(c.Asked.Learnt(p, j))
			for len(lengths) <= n {
				lengths = append(lengths, tally{})
			}
			lengths[n].add(m.right(p, j))
		}
	}
	for n, t := range lengths {
		if t.asked > 0 {
			out = append(out, report.LengthAccuracy{Tokens: n, Questions: t.asked, Accuracy: t.share()})
		}
	}
	return out
}

// flips counts the answers that are right from one network and wrong from the other, by task: over all categories, and for each.
func flips(split *data.Split, teacher, student Marks) (all map[string]report.Flips, byCategory map[string]map[string]report.Flips) {
	sum, sumOf := sums(student, split, func(f *report.Flips, p, j int) {
		f.Questions++
		switch before, after := teacher.right(p, j), student.right(p, j); {
		case before && !after:
			f.RightToWrong++
		case after && !before:
			f.WrongToRight++
		}
	})
	byCategory = map[string]map[string]report.Flips{}
	for category, tasks := range sumOf {
		byCategory[category] = values(tasks)
	}
	return values(sum), byCategory
}

func values[T any](of map[string]*T) map[string]T {
	out := map[string]T{}
	for key, v := range of {
		out[key] = *v
	}
	return out
}
