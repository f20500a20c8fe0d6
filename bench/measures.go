package bench

import (
	"fmt"

	"espalier/torch"
)

// measure is one row of the table: the same work on both sides.
type measure struct {
	name   string
	target float64 // greatest ratio of this program's time to the peer's
	times  int     // repetitions in a round
	here   func(h *here, n, round int) ([]float64, error)
	there  func(h *here, round int) request
}

var measures = []measure{
	{name: "tiny operation: add of 1 element, freed", target: .8, times: 10,
		here:  func(h *here, n, _ int) ([]float64, error) { return h.tiny(n) },
		there: func(*here, int) request { return request{"do": "tiny", "ops": additions} }},
	stepMeasure("fp32", torch.Float32),
	stepMeasure("bf16", torch.BFloat16),
	{name: fmt.Sprintf("importance pass, teacher, %d batches", batches), target: 1.05, times: 1,
		here: func(h *here, n, _ int) ([]float64, error) {
			seconds, _, err := h.importance(n)
			return seconds, err
		},
		there: func(*here, int) request { return importanceRequest() }},
	answerMeasure("teacher"),
	answerMeasure("student"),
}

func names() (names []string) {
	for _, m := range measures {
		names = append(names, m.name)
	}
	return names
}

func stepMeasure(name string, d torch.DType) measure {
	return measure{name: "training step, teacher, " + name, target: 1.05, times: 3,
		here: func(h *here, n, _ int) ([]float64, error) {
			seconds, _, err := h.step(n, d)
			return seconds, err
		},
		there: func(*here, int) request { return stepRequest(d) }}
}

func stepRequest(d torch.DType) request {
	return request{"do": "step", "bf16": d == torch.BFloat16, "lr": learningRate, "weight_decay": weightDecay, "clip": clip}
}

func importanceRequest() request { return request{"do": "importance", "batches": batches} }

const answersTimed = 40 // in a round

func answerMeasure(network string) measure {
	return measure{name: "greedy answer at batch 1, " + network, target: .8, times: answersTimed,
		here: func(h *here, n, round int) ([]float64, error) {
			seconds, _, err := h.answer(n, network, round*answersTimed)
			return seconds, err
		},
		there: func(h *here, round int) request { return answerRequest(h, network, round*answersTimed) }}
}

func answerRequest(h *here, network string, first int) request {
	return request{"do": "answer", "net": network, "first": first, "most": mostTokens, "eos": h.eos}
}
