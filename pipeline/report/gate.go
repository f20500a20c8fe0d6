package report

import (
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Resamples is how many times the bootstrap draws the pictures anew.
const Resamples = 2000

// Gate is what a stage may lose and what it lost. Drop is the teacher's accuracy minus the student's, CI its 95 %
// interval. Tasks are reported, and gated only when AlphaTask is given.
type Gate struct {
	Alpha     float64         `json:"alpha"`
	AlphaTask *float64        `json:"alpha_task,omitempty"`
	Drop      float64         `json:"drop"`
	CI        [2]float64      `json:"ci"`
	Split     string          `json:"split"`
	Tasks     map[string]Drop `json:"tasks,omitempty"`
}

// Drop is a loss of accuracy with its 95 % interval.
type Drop struct {
	Drop float64    `json:"drop"`
	CI   [2]float64 `json:"ci"`
}

// Answer is one question put to both models.
type Answer struct {
	Picture          int    // any number that the questions of one picture share
	Task             string // empty: it counts in the overall drop alone
	Teacher, Student bool   // answered right
}

// NewGate compares teacher and student on the same questions. The same answers and seed give the same interval.
func NewGate(answers []Answer, alpha float64, alphaTask *float64, split string, seed uint64) (Gate, error) {
	if len(answers) == 0 {
		return Gate{}, fmt.Errorf("report: gate: the %s split has no questions: the drop cannot be measured", split)
	}
	byTask := map[string][]Answer{}
	for _, a := range answers {
		if a.Task != "" {
			byTask[a.Task] = append(byTask[a.Task], a)
		}
	}
	all := PairedDrop(outcomes(answers), seed)
	g := Gate{Alpha: alpha, AlphaTask: alphaTask, Drop: all.Drop, CI: all.CI, Split: split, Tasks: map[string]Drop{}}
	for task, part := range byTask {
		g.Tasks[task] = PairedDrop(outcomes(part), seed)
	}
	return g, nil
}

// Passed tells whether the stage may stand. It fails only when the drop is beyond alpha for certain: when the lower
// bound of the interval is. The task is the one that failed by most, or empty when the overall drop did.
func (g Gate) Passed() (passed bool, task string) {
	if g.CI[0] > g.Alpha {
		return false, ""
	}
	worst := 0.0
	for _, name := range slices.Sorted(maps.Keys(g.Tasks)) {
		if g.AlphaTask == nil {
			break
		}
		if excess := g.Tasks[name].CI[0] - *g.AlphaTask; excess > worst {
			worst, task = excess, name
		}
	}
	return task == "", task
}

// Outcome is one picture: how many questions it asked, and how many of them each model answered right. Fractions
// of one question serve as well.
type Outcome struct{ Questions, Teacher, Student float64 }

func outcomes(answers []Answer) []Outcome {
	at, out := map[int]int{}, []Outcome{}
	for _, a := range answers {
		i, ok := at[a.Picture]
		if !ok {
			i = len(out)
			at[a.Picture] = i
			out = append(out, Outcome{})
		}
		out[i].Questions++
		out[i].Teacher += one(a.Teacher)
		out[i].Student += one(a.Student)
	}
	return out
}

func one(right bool) float64 {
	if right {
		return 1
	}
	return 0
}

// PairedDrop is Σ (teacher − student) / Σ questions with its 95 % interval by the percentile bootstrap (Efron 1979).
// Pictures are drawn, not questions, since the questions of a picture err together; and both models' answers stay
// paired, since most of their errors are the same.
func PairedDrop(pictures []Outcome, seed uint64) Drop {
	random := rand.New(rand.NewPCG(seed, 0x67617465)) // "gate": a stream of its own
	drops := make([]float64, Resamples)
	for r := range drops {
		var lost, asked float64
		for range pictures {
			// The high word of a product maps to [0, n) in one fixed way, whatever math/rand does in later versions.
			at, _ := bits.Mul64(random.Uint64(), uint64(len(pictures)))
			lost += pictures[at].Teacher - pictures[at].Student
			asked += pictures[at].Questions
		}
		drops[r] = over(lost, asked)
	}
	slices.Sort(drops)
	var lost, asked float64
	for _, p := range pictures {
		lost += p.Teacher - p.Student
		asked += p.Questions
	}
	return Drop{over(lost, asked), [2]float64{quantile(drops, .025), quantile(drops, .975)}}
}

// quantile interpolates between the two nearest of sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := at - float64(low)
	return sorted[low] + part*(sorted[low+1]-sorted[low])
}
