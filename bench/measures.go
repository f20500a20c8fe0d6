package bench

import (
	"fmt"
	"runtime"

	"espalier/torch"
)

// measure is one row of the table: the same work on both sides.
type measure struct {
	name    string
	target  float64               // greatest ratio of this program's time to the peer's
	times   int                   // repetitions in a round
	needs   string                // what both sides must agree on besides the logits
	with    string                // whom it is held against: eager, compiled or transformers
	threads int                   // 0: those of the options
	once    bool                  // one round is enough, and each side takes it in a process of its own: memory
	bytes   bool                  // it gives bytes, not seconds
	over    string                // what it is part of a series over, such as threads
	of      func(h *here) float64 // its place there
	work    func(h *here) float64 // floating-point operations, or the bytes that a copy moves
	here    func(h *here, n, round int) ([]float64, error)
	there   func(h *here, round int) request
}

// What both sides must agree on before their times mean anything.
const (
	answersAlike    = "answers"
	lossesAlike     = "losses in fp32"
	halvesAlike     = "losses in bf16"
	importanceAlike = "importance"
)

// What a measure is held against.
const (
	eager        = "PyTorch eager"
	compiled     = "torch.compile"
	transformers = "transformers"
)

const never = 1. // slower

// part is a size with what is measured on it.
type part struct {
	size
	measures []measure
}

// precisions are those that more than the default size is measured in: a CPU without AVX-512 takes many times as long in bf16, on either side.
func precisions() []torch.DType {
	if torch.CPUCapability() == "AVX512" {
		return []torch.DType{torch.Float32, torch.BFloat16}
	}
	return []torch.DType{torch.Float32}
}

func short(d torch.DType) string {
	return map[torch.DType]string{torch.Float32: "fp32", torch.BFloat16: "bf16"}[d]
}

// parts are all measures, or those of the default job's size alone. Networks that fill a GPU are measured there alone, and the other sizes on the CPU.
func parts(all bool, on torch.Device) []part {
	d := defaultSize
	list := []part{{d, []measure{
		{name: "tiny operation: add of 1 element, freed", target: .75, times: 10, with: eager,
			here:  func(h *here, n, _ int) ([]float64, error) { return h.tiny(n) },
			there: func(*here, int) request { return request{"do": "tiny", "ops": additions} }},
		stepMeasure(d, torch.Float32), stepMeasure(d, torch.BFloat16), importanceMeasure(d, .9),
		answerMeasure(d, "teacher", .6), answerMeasure(d, "student", .25), studentMeasure(d),
	}}}
	if !all {
		return list
	}
	if on != torch.CPU {
		return append(list, part{large, append([]measure{importanceMeasure(large, never), answerMeasure(large, "teacher", .6)}, hubMeasures(large)...)},
			part{small, append([]measure{stepMeasure(small, torch.BFloat16), stepMeasure(small, torch.Float32), importanceMeasure(small, never),
				answerMeasure(small, "teacher", .6)}, hubMeasures(small)...)})
	}
	for _, p := range precisions() {
		list[0].measures = append(list[0].measures, productMeasure(1024, p), productMeasure(2048, p))
	}
	list[0].measures = append(list[0].measures, copyMeasure(), compiledMeasure(stepMeasure(d, torch.Float32)), compiledMeasure(answerMeasure(d, "teacher", never)))
	list[0].measures = append(list[0].measures, memoryMeasures(d)...)
	for _, s := range []size{vitB, block} {
		measures := []measure{importanceMeasure(s, never), answerMeasure(s, "teacher", .6)}
		for _, p := range precisions() {
			measures = append(measures, stepMeasure(s, p))
		}
		list = append(list, part{s, append(measures, memoryMeasures(s)...)})
	}
	hub := &list[1].measures
	*hub = append(*hub, hubMeasures(vitB)...)
	return append(list, scaling()...)
}

func stepMeasure(s size, d torch.DType) measure {
	needs := lossesAlike
	if d == torch.BFloat16 {
		needs = halvesAlike
	}
	return measure{name: s.measure("training step, teacher, " + short(d)), needs: needs, target: s.largest, times: s.steps, with: eager, work: (*here).stepWork,
		here: func(h *here, n, _ int) ([]float64, error) {
			seconds, _, err := h.step(n, d)
			return seconds, err
		},
		there: func(*here, int) request { return stepRequest(d) }}
}

func stepRequest(d torch.DType) request {
	return request{"do": "step", "bf16": d == torch.BFloat16, "lr": learningRate, "weight_decay": weightDecay, "clip": clip}
}

func importanceMeasure(s size, target float64) measure {
	return measure{name: s.measure(fmt.Sprintf("importance pass, teacher, batches: %d", s.batches)), needs: importanceAlike, target: target, times: 1, with: eager,
		work: func(h *here) float64 { return float64(h.batches) * h.stepWork() },
		here: func(h *here, n, _ int) ([]float64, error) {
			seconds, _, err := h.importance(n)
			return seconds, err
		},
		there: func(h *here, _ int) request { return importanceRequest(h) }}
}

func importanceRequest(h *here) request { return request{"do": "importance", "batches": h.batches} }

func answerMeasure(s size, network string, target float64) measure {
	m := measure{name: s.measure("greedy answer at batch 1, " + network), needs: answersAlike, target: target, times: s.answers, with: eager,
		here: func(h *here, n, round int) ([]float64, error) {
			seconds, _, err := h.answer(n, network, round*h.size.answers, 1)
			return seconds, err
		},
		there: func(h *here, round int) request { return answerRequest(h, network, round*h.size.answers, 1) }}
	if network == "teacher" {
		m.work = func(h *here) float64 { return h.answerWork(1) }
	}
	return m
}

func answerRequest(h *here, network string, first, batch int) request {
	return request{"do": "answer", "net": network, "first": first, "batch": batch, "most": h.most, "eos": h.eos}
}

// studentMeasure is what the whole program is for: its student in place of the teacher as it was.
func studentMeasure(s size) measure {
	m := answerMeasure(s, "student", .06)
	m.name = s.measure("greedy answer, student here beside PyTorch's teacher")
	m.there = func(h *here, round int) request { return answerRequest(h, "teacher", round*h.size.answers, 1) }
	return m
}

// hubBatch is how many pictures transformers answers about at once, besides one.
const hubBatch = 16

func hubMeasures(s size) []measure { return []measure{hubMeasure(s, 1), hubMeasure(s, hubBatch)} }

func hubMeasure(s size, batch int) measure {
	return measure{name: s.measure(fmt.Sprintf("greedy answers at batch %d beside transformers' generate", batch)), target: .6, times: 1, with: transformers,
		work: func(h *here) float64 { return h.answerWork(batch) },
		here: func(h *here, n, round int) ([]float64, error) {
			seconds, _, err := h.answer(n, "teacher", round*batch, batch)
			return seconds, err
		},
		there: func(h *here, round int) request { return answerRequest(h, "teacher", round*batch, batch) }}
}

// compiledMeasure is a measure beside PyTorch's compiler.
func compiledMeasure(m measure) measure {
	eagerly := m.there
	m.name, m.with, m.target = m.name+", beside torch.compile", compiled, never
	m.there = func(h *here, round int) request {
		q := eagerly(h, round)
		q["compile"] = true
		return q
	}
	return m
}

// memoryMeasures are the bytes that training steps add to the weights: as it is, and with blocks computed again in backward.
func memoryMeasures(s size) (list []measure) {
	name := s.label() + ": memory of a training step, fp32" // -only can ask for the default size's alone
	for _, again := range []bool{false, true} {
		m := measure{name: name, target: never, times: 1, with: eager, once: true, bytes: true,
			here: func(h *here, _, _ int) ([]float64, error) { return memoryOf(h.size, again) },
			there: func(*here, int) request {
				q := stepRequest(torch.Float32)
				q["do"] = "memory"
				return q
			}}
		if again {
			m.name, m.target = m.name+", blocks computed again", .5
		}
		list = append(list, m)
	}
	return list
}

func productMeasure(n int, d torch.DType) measure {
	return measure{name: fmt.Sprintf("matrix product, %d × %d, %s", n, n, short(d)), times: 3, with: eager,
		work:  func(*here) float64 { return 2 * float64(n) * float64(n) * float64(n) },
		here:  func(_ *here, times, _ int) ([]float64, error) { return product(times, n, d) },
		there: func(*here, int) request { return request{"do": "product", "size": n, "bf16": d == torch.BFloat16} }}
}

const copied = 256 << 20 // bytes

func copyMeasure() measure {
	return measure{name: "copy of 256 MiB", times: 3, with: eager,
		work:  func(*here) float64 { return 2 * copied },
		here:  func(_ *here, n, _ int) ([]float64, error) { return copyBytes(n) },
		there: func(*here, int) request { return request{"do": "copy", "bytes": copied} }}
}

// scaling is a training step over the parameters, the pictures of a batch and the threads.
func scaling() (list []part) {
	add := func(s size, over string, threads int, of func(h *here) float64) {
		m := stepMeasure(s, torch.Float32)
		m.over, m.of, m.times, m.threads = over, of, 1, threads
		list = append(list, part{s, []measure{m}})
	}
	for _, w := range []struct {
		name                   string
		numerator, denominator int
	}{{"half the width", 1, 2}, {"the width", 1, 1}, {"twice the width", 2, 1}} {
		add(wider(w.name, w.numerator, w.denominator), "parameters", 0, func(h *here) float64 { return float64(h.networks["teacher"].Store().Count()) })
	}
	for _, n := range []int{8, 16, 32, 64} {
		add(batched(fmt.Sprintf("batches of %d", n), n), "pictures", 0, func(h *here) float64 { return float64(h.pictures) })
	}
	for n := 1; n <= runtime.NumCPU(); n *= 2 {
		add(batched(fmt.Sprintf("threads: %d", n), defaultSize.pictures), "threads", n, func(*here) float64 { return float64(n) })
	}
	return list
}
