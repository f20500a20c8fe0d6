package corpus

import (
	"espalier/model"
	"espalier/pipeline/data"
	"espalier/torch"
)

// Asked are the tokenized questions of a split's pictures, and whose words their answers are.
type Asked struct {
	Questions [][]model.Question // of each picture; an answer ends with end-of-sequence, nil where there is none
	Own       [][]bool           // which answers are the teacher's own words, where the data have none
}

func newAsked(pictures int) Asked {
	return Asked{make([][]model.Question, pictures), make([][]bool, pictures)}
}

// add asks a question more about a picture.
func (a Asked) add(picture int, q model.Question, own bool) {
	a.Questions[picture], a.Own[picture] = append(a.Questions[picture], q), append(a.Own[picture], own)
}

// withAnswers are the questions of some pictures that have answers.
func (a Asked) withAnswers(pictures []int) [][]model.Question {
	questions := make([][]model.Question, len(pictures))
	for i, p := range pictures {
		for _, q := range a.Questions[p] {
			if q.Answer != nil {
				questions[i] = append(questions[i], q)
			}
		}
	}
	return questions
}

// Learnt are the ids of the answer to a question of a picture, the end left out; nil where there is none.
func (a Asked) Learnt(picture, question int) []int {
	ids := a.Questions[picture][question].Answer
	return ids[:max(0, len(ids)-1)]
}

// Rows is how many positions of a picture are scored, and how many of these have an answer of the data's.
func (a Asked) Rows(pictures ...int) (all, labelled int) {
	for _, p := range pictures {
		for j, q := range a.Questions[p] {
			all += len(q.Answer)
			if !a.Own[p][j] {
				labelled += len(q.Answer)
			}
		}
	}
	return all, labelled
}

// Labelled lists the scored positions of a batch whose answers are the data's, for distillation.Loss; nil when all are.
func (a Asked) Labelled(pictures []int, on torch.Device) *torch.Tensor {
	var rows []int
	at, all := 0, true
	for _, p := range pictures {
		for j, q := range a.Questions[p] {
			for range q.Answer {
				if a.Own[p][j] {
					all = false
				} else {
					rows = append(rows, at)
				}
				at++
			}
		}
	}
	if all {
		return nil
	}
	return torch.FromInts(rows, on, len(rows))
}

// Lacks tells whether the data leave an answer open.
func (a Asked) Lacks() bool {
	for _, questions := range a.Questions {
		for _, q := range questions {
			if q.Answer == nil {
				return true
			}
		}
	}
	return false
}

// Answered tells whether one of the pictures has a question whose answer the data give.
func (a Asked) Answered(pictures ...int) bool {
	for _, p := range pictures {
		for j, q := range a.Questions[p] {
			if q.Answer != nil && !a.Own[p][j] {
				return true
			}
		}
	}
	return false
}

// complete fills in the missing answers, in their order, each with an end.
func (a Asked) complete(missing [][]int, end int) {
	for p := range a.Questions {
		for j := range a.Questions[p] {
			if q := &a.Questions[p][j]; q.Answer == nil {
				q.Answer, a.Own[p][j] = append(missing[0], end), true
				missing = missing[1:]
			}
		}
	}
}

// divided has the questions of each part as those of a picture.
func (a Asked) divided(parts []data.Part) Asked {
	out := newAsked(len(parts))
	for i, p := range parts {
		out.Questions[i], out.Own[i] = a.Questions[p.Picture][p.From:p.To], a.Own[p.Picture][p.From:p.To]
	}
	return out
}
