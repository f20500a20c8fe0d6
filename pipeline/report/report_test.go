package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// example is the run that the default job's calibration tells of.
func example() *Report {
	accuracy := func(overall, color, content, logo, manifestations, style float64) Accuracy {
		return Accuracy{"overall": overall, "color": color, "content": content, "logo": logo, "manifestations": manifestations, "style": style}
	}
	model := func(parts Parts, a Accuracy, ood, ms, answers float64) Model {
		return Model{Parameters: parts.Sum(), ParametersByPart: parts, Bytes: 4 * parts.Sum(), Accuracy: a,
			AccuracyByCategory: map[string]Accuracy{"phone": a, "services": accuracy(.96, .95, .96, .97, .98, .94)},
			OOD:                Accuracy{"overall": ood}, LatencyMS: Latency{P50: ms, P99: 1.4 * ms, Batch: 1},
			Throughput: Throughput{AnswersPerS: answers, Batch: 64}}
	}
	r := &Report{
		Teacher: model(Parts{1273280, 925952, 16512, 812800, 16096}, accuracy(.9764, .960, .980, .962, .992, .988), .570, 7.64, 1217),
		Seed:    1, Threads: 2, Seconds: 492, TeacherSeconds: 303, PeakRSSBytes: 1 << 30,
		Config: map[string]any{"seed": 1}, Versions: map[string]string{"go": "1.26"},
	}
	for i, s := range []struct {
		name   string
		m      Model
		cut    float64
		alpha  float64
		drop   float64
		ci     [2]float64
		masked []float64
	}{
		{"blocks", model(Parts{656640, 469760, 16512, 406400, 16096}, accuracy(.9538, .945, .943, .922, .984, .976), .555, 3.51, 2567), .708, .06, .0215, [2]float64{.012, .03}, []float64{2.1e-13}},
		{"inner", model(Parts{297600, 184736, 16512, 119200, 16096}, accuracy(.9446, .950, .895, .940, .971, .968), .557, 2.05, 5818), .144, .06, .031, [2]float64{.021, .043}, []float64{4.4e-14}},
		{"hidden", model(Parts{83000, 47200, 1056, 29132, 4024}, accuracy(.9780, .960, .973, .971, .991, .993), .539, 1.47, 13600), .952, .005, -.0015, [2]float64{-.009, .0055}, []float64{1e-13, 3.9e-13, 2e-13, 8e-14}},
	} {
		pruned := s.m
		pruned.Accuracy, pruned.LatencyMS, pruned.Throughput = accuracy(s.cut, s.cut, s.cut, s.cut, s.cut, s.cut), Latency{}, Throughput{}
		stage := Stage{Name: s.name, Criterion: "gradient", Attempts: 1, Accepted: true, Pruned: pruned, Distilled: s.m,
			Gate:    Gate{Limits: Limits{Alpha: s.alpha, Need: NeedNotLost}, Drop: s.drop, CI: s.ci, Split: "validation"},
			Seconds: StageSeconds{Importance: 2.5 / float64(i+1), Prune: .4, Distil: 19 * float64(i+1), Evaluate: 11}}
		stage.Gate.Verdict = stage.Gate.verdict()
		for _, d := range s.masked {
			stage.Cuts = append(stage.Cuts, Cut{s.m.Parameters, d})
			stage.SliceMaskMaxDiff = max(stage.SliceMaskMaxDiff, d)
		}
		r.Stages = append(r.Stages, stage)
		r.Student = s.m
	}
	r.Ratio = RatioOf(r.Teacher, r.Student)
	return r
}

func TestRatioOf(t *testing.T) {
	r := example()
	assert.InDelta(t, 18.5, r.Ratio.Model, .05)
	assert.InDelta(t, 812800./29132, r.Ratio.LanguageBlocks, 1e-12)
	assert.InDelta(t, 7.64/1.47, r.Ratio.LatencyP50, 1e-12, "a latency that fell is a ratio above 1")
	assert.InDelta(t, 13600./1217, r.Ratio.Throughput, 1e-12, "and so is a throughput that rose")
	assert.Zero(t, RatioOf(r.Teacher, r.Stages[0].Pruned).LatencyP50, "not measured")
}
