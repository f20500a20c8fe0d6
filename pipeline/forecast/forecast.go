package forecast

import (
	"fmt"
	"math"
	"strings"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
)

// Work is how much of everything a run has to do, beside its configuration.
type Work struct {
	Config    *config.Config // with what each stage keeps, and the steps that are left for it
	Names     []string       // of its stages
	Train     int            // pictures
	Splits    map[string]int // pictures of validation, test and ood
	Rehearsed *config.Config // the rehearsal's
	Candidate int            // pictures that candidates answer
	// What the phases weigh in the run, on the mean over what it may choose, and at the sizes of the rehearsal.
	Mean, Rehearsal []event.Work
}

// Line is a piece of a run's work, and how long it takes.
type Line struct {
	Stage   string  `json:"stage"`
	What    string  `json:"what"`
	Amount  int     `json:"amount,omitempty"` // units; 0 where nothing is counted
	Unit    string  `json:"unit,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Lines are the phases of a run as a rehearsal foretells them.
func Lines(w Work, phases []*Phase) (lines []Line) {
	for _, p := range phases {
		l := w.line(p)
		l.Seconds *= w.scale(p.Phase)
		p.foretold = l.Seconds
		lines = append(lines, l)
	}
	if e := w.Config.Energy; e != nil {
		lines = append(lines, Line{Stage: "run", What: "energy", Seconds: 3 * float64(e.Trials) * e.Window.Seconds()}) // teacher, student, idle machine
	}
	return lines
}

// Rest is the work of an outline that no phase was of, at the pace of those that [Lines] has foretold: of their own kind, where there was one.
func Rest(outline []event.Work, phases []*Phase) (lines []Line) {
	type pace struct{ seconds, weight float64 }
	paces := map[string]pace{}
	reached := make([]bool, len(outline))
	for _, p := range phases {
		for i, o := range outline {
			if !o.Is(p.Phase) {
				continue
			}
			reached[i] = true
			for _, kind := range []string{kindOf(o), ""} { // and of all kinds
				paces[kind] = pace{paces[kind].seconds + p.foretold, paces[kind].weight + o.Weight}
			}
			break
		}
	}
	for i, o := range outline {
		if reached[i] {
			continue
		}
		at, known := paces[kindOf(o)]
		if !known {
			at = paces[""]
		}
		if at.weight > 0 {
			lines = append(lines, Line{Stage: o.Stage, What: called(o), Seconds: float64(o.Times) * o.Weight * at.seconds / at.weight})
		}
	}
	return lines
}

// kindOf is what a work has in common with others that take as long for their weight.
func kindOf(o event.Work) string {
	kind, _, _ := strings.Cut(o.Phase, " ")
	if strings.HasSuffix(o.Detail, "speed") {
		kind = "speed"
	}
	return kind
}

// called is what a line calls a work.
func called(o event.Work) string {
	switch {
	case strings.HasPrefix(o.Detail, "candidate"), strings.HasPrefix(o.Phase, "distil round"):
		return "candidates"
	case strings.Contains(o.Phase, " ") || o.Phase == "measure" && o.Detail == "": // "score blocks" of a division
		return "divisions tried"
	}
	return o.Phase
}

// Merged are lines of which those of one kind in a stage are one.
func Merged(lines []Line) (out []Line) {
	at := map[string]int{}
	for _, l := range lines {
		key := l.Stage + " " + l.What
		if i, there := at[key]; there {
			out[i].Seconds += l.Seconds
			out[i].Amount += l.Amount
			continue
		}
		at[key] = len(out)
		out = append(out, l)
	}
	return out
}

// scale is what a phase weighs in the run, over what it weighs at the rehearsal's sizes. Most of a measurement of speed is time that is set.
func (w Work) scale(p event.Phase) float64 {
	weight := func(outline []event.Work) float64 {
		for _, o := range outline {
			if o.Is(p) && kindOf(o) != "speed" {
				return o.Weight
			}
		}
		return 0
	}
	run, rehearsed := weight(w.Mean), weight(w.Rehearsal)
	if run == 0 || rehearsed == 0 {
		return 1
	}
	return run / rehearsed
}

// line is a phase with all its units.
func (w Work) line(p *Phase) Line {
	l := Line{Stage: p.Stage, What: p.Name, Unit: p.unit, Amount: p.units()}
	if l.Stage == "" {
		l.Stage = "run"
	}
	first, rehearsed := 0, 0
	stage := w.stage(p.Stage)
	switch {
	case p.Stage == "teacher" && p.Name == "train" && p.Detail == "learn":
		t, r := w.Config.Teacher.Train, w.Rehearsed.Teacher.Train
		first, rehearsed, l.Amount = t.PretrainSteps, r.PretrainSteps, t.PretrainSteps+t.Steps
	case p.Stage == "teacher" && p.Name == "train":
		l.Amount = w.Config.Teacher.Train.RefineSteps
	case p.Name == "outputs" || p.Name == "missing answers":
		l.Amount = w.Train
	case p.Name == "measure" && strings.HasSuffix(p.Detail, "speed"):
		l.Seconds = w.speed(p)
		return l
	case p.Name == "measure" && strings.HasPrefix(p.Detail, "candidate"):
		l.What, l.Amount = "candidates", w.Candidate
	case p.Name == "measure":
		l.Amount = w.pictures(p.Detail)
	case stage >= 0 && strings.HasPrefix(p.Name, "distil round"):
		_, l.Amount = w.Config.Stages[stage].Tried()
		l.What = "candidates"
	case stage >= 0 && p.Name == "score":
		l.Amount = batches(w.Config.Importance, w.Train)
		if strings.HasPrefix(p.Detail, "candidate") {
			l.What = "candidates"
		}
	case stage >= 0 && p.Name == "distil":
		l.Amount = w.steps(stage, p.Detail)
	}
	l.Seconds = p.With(l.Amount, first, rehearsed)
	if l.What == "candidates" {
		l.Amount, l.Unit = 0, "" // of several units
	}
	return l
}

// stage is the number of a stage by its name; −1 where there is none.
func (w Work) stage(name string) int {
	for i, n := range w.Names {
		if n == name || strings.HasSuffix(name, "/"+n) { // of several students
			return i
		}
	}
	return -1
}

// steps are those of a cut, given as "cut 2/4". Candidates have taken some of the stage's before.
func (w Work) steps(stage int, detail string) int {
	s := w.Config.Stages[stage]
	if tried, each := s.Tried(); len(tried) > 1 {
		s.Distil.Steps -= each * len(tried)
	}
	cut := 1
	_, _ = fmt.Sscanf(detail, "cut %d", &cut) // a further try has no number, and a rehearsal none of them
	return s.StepsOf(min(cut, s.Cuts))
}

// pictures are those of the split that a measurement's detail names: "on test", "distilled the gate's validation split".
func (w Work) pictures(detail string) int {
	for name, n := range w.Splits {
		if strings.Contains(detail, name) {
			return n
		}
	}
	return 0
}

// speed is the measurement of latency and throughput: answers are timed one by one in rounds until there are enough of them.
func (w Work) speed(p *Phase) float64 {
	return p.Seconds - answering(w.Rehearsed.Eval, p.P50) - together(w.Rehearsed.Eval) + answering(w.Config.Eval, p.P50) + together(w.Config.Eval)
}

// together is how long answers of several pictures at once are timed (measure.Rate), at the least.
func together(e config.EvalConfig) float64 {
	return measure.MostRounds * measure.ThroughputRound(e.LatencyRuns).Seconds()
}

// answering is how long single answers are timed (measure.Alone).
func answering(e config.EvalConfig, p50 float64) float64 {
	one := p50 / 1e3
	round := one * float64(e.LatencyRuns)
	if round == 0 {
		return 0
	}
	rounds := min(measure.MostRounds, max(1, int(math.Ceil(measure.LatencySpan.Seconds()/round))))
	return one*float64(e.LatencyWarmup) + float64(rounds)*round
}

// batches are those that a score is the mean over.
func batches(c config.ImportanceConfig, train int) int {
	size := min(c.Batch, train)
	return max(1, min(c.Pictures, train)/size)
}

// Seconds is all of it.
func Seconds(lines []Line) (sum float64) {
	for _, l := range lines {
		sum += l.Seconds
	}
	return sum
}
