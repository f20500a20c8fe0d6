package page

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/pipeline/measure"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
)

// Of a stage that made several tries the one is shown that its report is of: one that takes more steps goes on from the cuts before it, any other has
// cuts of its own. Its answers are those of the gallery.
func TestTheTryThatIsShown(t *testing.T) {
	trained := func(loss float64) stage.Recovered {
		return stage.Recovered{Course: distillation.Course{Steps: 1, Points: []distillation.Point{{Step: 1, Loss: loss}}}}
	}
	answers := func(text string) measure.Marks { return measure.Marks{Right: []string{"1"}, Said: [][]string{{text}}} }
	folder := finished(t, &report.Report{}, map[string]any{
		"teacher on test": answers("teacher"), "small/student on test": answers("nobody"),
		"small/inner/score 1": map[string][]float64{"a": {1}}, "small/inner/cut 1": nil, "small/inner/distil 1": trained(1), "small/inner/distilled on test": answers("first"),
		"small/inner/more steps/distil": trained(2), "small/inner/more steps/distilled on test": answers("more"),
		"small/inner/more cuts/score 1": map[string][]float64{"a": {2}}, "small/inner/more cuts/cut 1": nil, "small/inner/more cuts/distil 1": trained(3),
		"small/inner/more cuts/score 2": map[string][]float64{"a": {4}}, "small/inner/more cuts/cut 2": nil, "small/inner/more cuts/distil 2": trained(4),
		"small/inner/more cuts/distilled on test":    answers("cuts"),
		"small/inner/distil round 1 of taylor/ce":    trained(.5),
		"small/inner/distil round 1 of magnitude/ce": trained(.6),
	})
	k := keptOf(folder)
	tries := []report.Try{{What: "as configured"}, {What: "3 more steps"}, {What: "the same size in 2 cuts"}}
	for shown, want := range []struct {
		losses, scores []float64
		answer         string
	}{{[]float64{.5, 1}, []float64{1}, "first"}, {[]float64{.5, 1, 2}, []float64{1}, "more"}, {[]float64{3, 4}, []float64{2, 4}, "cuts"}} {
		s := report.Stage{Name: "inner", Accepted: true, Cuts: make([]report.Cut, 1), Candidates: []report.Candidate{{Name: "magnitude/ce"}, {Name: "taylor/ce", Chosen: true}}}
		for i := range shown + 1 {
			try := tries[i]
			try.Gate.Drop, try.Accepted = float64(i), i == shown
			s.Tried, s.Gate = append(s.Tried, try), try.Gate
		}
		s.Tried = append(s.Tried, report.Try{What: "half of the cut, in 2 cuts"}) // was not accepted, and one before it was
		m, err := k.madeOf("small/", s)
		require.NoError(t, err)
		var losses, scores []float64
		for _, c := range m.Courses {
			losses = append(losses, c.Points[0].Loss)
		}
		for _, c := range m.Cuts {
			scores = append(scores, c.Scores["a"]...)
		}
		assert.Equal(t, want.losses, losses)
		assert.Equal(t, want.scores, scores)

		r := &report.Report{Stages: []report.Stage{s}, Students: []report.Student{{Name: "small"}, {Name: "large"}}}
		teacher, student, err := k.answersOf(r, prefixOf(r), "test")
		require.NoError(t, err)
		assert.Equal(t, answers("teacher"), teacher)
		assert.Equal(t, answers(want.answer), student)
	}
	r := &report.Report{Students: []report.Student{{Name: "small"}, {Name: "large"}}} // no stage was accepted, and the student has dtypes of its own
	_, student, err := k.answersOf(r, prefixOf(r), "test")
	require.NoError(t, err)
	assert.Equal(t, answers("nobody"), student)

	_, err = k.madeOf("", report.Stage{Name: "inner"})
	assert.ErrorContains(t, err, "no cut of stage inner")
}
