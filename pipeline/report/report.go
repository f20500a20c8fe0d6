// Package report is what a run leaves behind for people and programs: report.json, the numbers of its gates, and
// the rows of its tables. It measures nothing and prints nothing.
//
// Units throughout: bytes, seconds, milliseconds; accuracies and drops are fractions of the questions asked.
package report

import (
	"reflect"
	"slices"
)

// Report is report.json. Its fields are written in this order, maps in the order of their keys.
type Report struct {
	Teacher        Model             `json:"teacher"`
	Student        Model             `json:"student"`
	Stages         []Stage           `json:"stages"`
	Ratio          Ratio             `json:"ratio"`
	Target         *Target           `json:"target,omitempty"`
	Students       []Student         `json:"students,omitempty"` // of several targets; student and stages are the first one's
	Energy         *Energy           `json:"energy,omitempty"`   // with [energy] alone
	Seed           int               `json:"seed"`
	Threads        int               `json:"threads"`
	Seconds        float64           `json:"seconds"`         // of all the work behind the report, whenever it was done
	TeacherSeconds float64           `json:"teacher_seconds"` // of these, training or loading the teacher
	PeakRSSBytes   int64             `json:"peak_rss_bytes"`
	Config         map[string]any    `json:"config"`
	Versions       map[string]string `json:"versions"`
	Skipped        []Row             `json:"skipped,omitempty"` // rows of the data that were left out
	Reused         []string          `json:"reused,omitempty"`  // steps whose kept results were found, as "hidden/distil 2"
}

// Row is a row of the data that was left out: its file and line, and why.
type Row struct {
	Place  string `json:"place"`
	Reason string `json:"reason"`
}

// Model is one network, measured. Pruned models may leave latency and throughput out.
type Model struct {
	Parameters         int64               `json:"parameters"` // a tied head counts once
	ParametersByPart   Parts               `json:"parameters_by_part"`
	Bytes              int64               `json:"bytes"`
	Accuracy           Accuracy            `json:"accuracy"`
	AccuracyByCategory map[string]Accuracy `json:"accuracy_by_category,omitempty"`
	OOD                Accuracy            `json:"ood,omitempty"`
	Metrics            map[string]Accuracy `json:"metrics,omitempty"`   // of eval.metrics, by name: means over the test split's questions
	Positions          *Positions          `json:"positions,omitempty"` // of answers with several tokens, on the test split
	OODPositions       *Positions          `json:"ood_positions,omitempty"`
	LatencyMS          Latency             `json:"latency_ms,omitzero"`
	Throughput         Throughput          `json:"throughput,omitzero"`
	AccuracyByLength   []LengthAccuracy    `json:"accuracy_by_length,omitempty"`
	Confidence         *Confidence         `json:"confidence,omitempty"`
	Flips              map[string]Flips    `json:"flips,omitempty"` // of a student, with the keys of Accuracy

	FlipsByCategory map[string]map[string]Flips `json:"flips_by_category,omitempty"`
}

// Parts shares the parameters out: query tokens belong to qformer; patch, class and position embeddings to vision;
// the language model's token and position tables and its final norm to embeddings.
type Parts struct {
	Vision         int64 `json:"vision"`
	QFormer        int64 `json:"qformer"`
	Projection     int64 `json:"projection"`
	LanguageBlocks int64 `json:"language_blocks"`
	Embeddings     int64 `json:"embeddings"`
}

// Sum is all parameters.
func (p Parts) Sum() int64 {
	return p.Vision + p.QFormer + p.Projection + p.LanguageBlocks + p.Embeddings
}

// Overall is the key of Accuracy that stands for all questions; the other keys are tasks.
const Overall = "overall"

// Accuracy is the share of questions answered right: all of them under "overall", and task by task.
type Accuracy map[string]float64

// Latency is one answer to one question on one thread, from RGB pixels in memory, where there are any, to the answer's text.
type Latency struct {
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Batch int     `json:"batch"`
}

// Throughput is Batch pictures with all their questions, or so many questions where there are no pictures, on the run's threads.
type Throughput struct {
	AnswersPerS float64 `json:"answers_per_s"`
	Batch       int     `json:"batch"`
}

// Stage is one [[stage]] of the run. SliceMaskMaxDiff is the greatest of its cuts'.
type Stage struct {
	Name             string       `json:"name"`
	Criterion        string       `json:"criterion"`
	Candidates       []Candidate  `json:"candidates,omitempty"` // ways to score that were tried
	KendallTau       *float64     `json:"kendall_tau,omitempty"`
	Attempts         int          `json:"attempts"`
	Tried            []Try        `json:"tried,omitempty"` // all attempts, where there were more than one; the rest is of [Stage.Try]
	Failures         []string     `json:"failures,omitempty"`
	Accepted         bool         `json:"accepted"`
	Gate             Gate         `json:"gate"`
	Cuts             []Cut        `json:"cuts"`
	SliceMaskMaxDiff float64      `json:"slice_mask_max_diff"`
	Pruned           Model        `json:"pruned"`    // after the last cut, before its distillation
	Distilled        Model        `json:"distilled"` // after it
	Seconds          StageSeconds `json:"seconds"`
}

// Try is an attempt at a stage.
type Try struct {
	What     string `json:"what"` // how it differs from the others: "as configured", "1000 more steps"
	Gate     Gate   `json:"gate"`
	Accepted bool   `json:"accepted"`
}

// Try is the place in Tried of the attempt that the rest of the stage's report is of, or -1: the last one where none was accepted, and
// otherwise the first that was accepted with the stage's gate, which may have others after it.
func (s Stage) Try() int {
	of := func(t Try) bool { return t.Accepted == s.Accepted && reflect.DeepEqual(t.Gate, s.Gate) }
	if s.Accepted {
		return slices.IndexFunc(s.Tried, of)
	}
	if last := len(s.Tried) - 1; last >= 0 && of(s.Tried[last]) {
		return last
	}
	return -1
}

// Cut is one step of a stage. SliceMaskMaxDiff is max |Δ logit| / max |logit| between the sliced network and the
// masked one, in float64.
type Cut struct {
	Parameters       int64   `json:"parameters"`
	SliceMaskMaxDiff float64 `json:"slice_mask_max_diff"`
}

// StageSeconds is where a stage's time went.
type StageSeconds struct {
	Importance float64 `json:"importance"`
	Prune      float64 `json:"prune"`
	Distil     float64 `json:"distil"`
	Evaluate   float64 `json:"evaluate"`
}

// Ratio is teacher to student, so that more is better. A model has two sizes: all of it, and the language model's
// blocks alone, which is what most papers count.
type Ratio struct {
	Model          float64 `json:"model"`
	LanguageBlocks float64 `json:"language_blocks"`
	LatencyP50     float64 `json:"latency_p50"`
	Throughput     float64 `json:"throughput"`
}

// RatioOf compares two measured models; a measure that one of them does not have gives 0.
func RatioOf(teacher, student Model) Ratio {
	return Ratio{
		Model:          over(float64(teacher.Parameters), float64(student.Parameters)),
		LanguageBlocks: over(float64(teacher.ParametersByPart.LanguageBlocks), float64(student.ParametersByPart.LanguageBlocks)),
		LatencyP50:     over(teacher.LatencyMS.P50, student.LatencyMS.P50),
		Throughput:     over(student.Throughput.AnswersPerS, teacher.Throughput.AnswersPerS),
	}
}

func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
