package report

import (
	"fmt"
	"maps"
	"slices"
)

// Verdict is what a gate's interval proves.
type Verdict string

// The verdicts, from good to bad.
const (
	Held      Verdict = "held"      // the loss is at most alpha: the interval's upper bound is
	Undecided Verdict = "undecided" // the pictures show neither
	Lost      Verdict = "lost"      // the loss is above alpha: the interval's lower bound is
)

// What a stage's gate asks for.
const (
	NeedNotLost = "not lost" // undecided passes
	NeedHeld    = "held"
)

// Limits are what a stage may lose, and how well it must be shown.
type Limits struct {
	Alpha     float64  `json:"alpha"`
	AlphaTask *float64 `json:"alpha_task,omitempty"` // the same for each task alone; nil: tasks are reported, and not gated
	Need      string   `json:"need"`                 // NeedHeld or NeedNotLost
}

// Gate is what a stage may lose and what it lost. Drop and CI are over all questions; the verdict is the worst of theirs and,
// with AlphaTask, of the tasks'.
type Gate struct {
	Limits
	Verdict Verdict         `json:"verdict"`
	Drop    float64         `json:"drop"`
	CI      [2]float64      `json:"ci"`
	Split   string          `json:"split"`
	Tasks   map[string]Drop `json:"tasks,omitempty"`
	// Collapsed are the tasks that lost a third or more of what the teacher answers right, also where the verdict is good.
	Collapsed []string `json:"collapsed,omitempty"`
	// PicturesNeeded is how many validation pictures would decide, if more lost as these did; 0 where it is decided, or where
	// the loss is so near to alpha that no number would.
	PicturesNeeded int `json:"pictures_needed,omitempty"`
}

// Drop is a loss of accuracy, the teacher's minus the student's, with its 95 % interval, and what that proves where it is gated.
type Drop struct {
	Drop    float64    `json:"drop"`
	CI      [2]float64 `json:"ci"`
	Verdict Verdict    `json:"verdict,omitempty"`
}

func (d Drop) against(alpha float64) Verdict {
	switch {
	case d.CI[1] <= alpha:
		return Held
	case d.CI[0] > alpha:
		return Lost
	}
	return Undecided
}

// Answer is one question put to both models.
type Answer struct {
	Picture          int    // any number that the questions of one picture share
	Task             string // empty: it counts in the overall drop alone
	Teacher, Student bool   // answered right
}

// NewGate compares teacher and student on the same questions. The same answers give the same interval, in any order.
func NewGate(answers []Answer, limits Limits, split string) (Gate, error) {
	if len(answers) == 0 {
		return Gate{}, fmt.Errorf("report: gate: the %s split has no questions: the drop cannot be measured", split)
	}
	byTask := map[string][]Answer{}
	for _, a := range answers {
		if a.Task != "" {
			byTask[a.Task] = append(byTask[a.Task], a)
		}
	}
	all := outcomes(answers)
	overall := PairedDrop(all)
	g := Gate{Limits: limits, Drop: overall.Drop, CI: overall.CI, Split: split, Tasks: map[string]Drop{}}
	for task, part := range byTask {
		d := PairedDrop(outcomes(part))
		if limits.AlphaTask != nil {
			d.Verdict = d.against(*limits.AlphaTask)
		}
		g.Tasks[task] = d
		if d.CI[0] > 0 && d.CI[0] >= collapse*rightOf(part) {
			g.Collapsed = append(g.Collapsed, task)
		}
	}
	slices.Sort(g.Collapsed)
	g.Verdict = g.verdict()
	if g.Verdict != Undecided {
		return g, nil
	}
	if g.overall().Verdict == Undecided {
		g.PicturesNeeded = needed(all, limits.Alpha)
	}
	for task, d := range g.Tasks {
		if d.Verdict == Undecided {
			g.PicturesNeeded = max(g.PicturesNeeded, needed(outcomes(byTask[task]), *limits.AlphaTask))
		}
	}
	return g, nil
}

// collapse is the share of a task's right answers whose loss later training seldom wins back: of 47 runs of ours, 7 students of an early
// stage had lost two fifths and more of a task, and 4 of these ended so; none of the others did (docs/decisions.md).
const collapse = 1. / 3

// rightOf is the share of answers that the teacher gives right.
func rightOf(answers []Answer) float64 {
	right := 0.
	for _, a := range answers {
		right += one(a.Teacher)
	}
	return right / float64(len(answers))
}

func (g Gate) overall() Drop {
	d := Drop{Drop: g.Drop, CI: g.CI}
	d.Verdict = d.against(g.Alpha)
	return d
}

// verdict is the worst of all gated drops.
func (g Gate) verdict() Verdict {
	found := map[Verdict]bool{g.overall().Verdict: true}
	if g.AlphaTask != nil {
		for _, d := range g.Tasks {
			found[d.against(*g.AlphaTask)] = true
		}
	}
	switch {
	case found[Lost]:
		return Lost
	case found[Undecided]:
		return Undecided
	}
	return Held
}

// Passed tells whether the stage may stand.
func (g Gate) Passed() bool {
	return g.Verdict == Held || g.Verdict == Undecided && g.Need != NeedHeld
}

// Deciding is the drop that the verdict comes from, and its alpha: that over all questions, with an empty task, or else the task's
// that went farthest beyond alpha_task.
func (g Gate) Deciding() (task string, d Drop, alpha float64) {
	if all := g.overall(); all.Verdict == g.Verdict || g.AlphaTask == nil {
		return "", all, g.Alpha
	}
	for _, name := range slices.Sorted(maps.Keys(g.Tasks)) {
		if t := g.Tasks[name]; t.Verdict == g.Verdict && (task == "" || t.CI[0] > d.CI[0]) {
			task, d = name, t
		}
	}
	return task, d, *g.AlphaTask
}

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
