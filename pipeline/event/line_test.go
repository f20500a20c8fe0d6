package event

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/pipeline/report"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 7e6, time.UTC)

// Every event comes back from its line as it was, with its time.
func TestLines(t *testing.T) {
	loss, now := .5, Phase{"hidden", "distil", "cut 1/2"}
	model := report.Model{Parameters: 7, Accuracy: report.Accuracy{"overall": .5}}
	for _, e := range []Event{
		Start{1, 42, "runs/x", 3, 2, "cpu"}, End{Failed, 1, "disk full", 1.5, ""}, End{Done, 0, "", 1.5, "report.json"},
		Phase{}, now, Progress{3, 10, "steps", &loss}, Progress{Done: 1, Total: 2},
		Curve{now, false, []distillation.Point{{Step: 1, Loss: 2, LR: 3, Norm: 4}}}, Curve{Phase{"teacher", "train", "learn"}, true, []distillation.Point{{Step: 1, Loss: 2}, {Step: 2, Norm: 3}}},
		Step{"hidden/distil 2", true, 2.5}, TeacherMeasured{true, model}, StageMeasured{"hidden", Pruned, false, model},
		Cut{"hidden", 1, 2, true, 100, 1e-13, "vision 9"}, Chosen{"hidden", []report.Candidate{{Name: "taylor/margin"}}},
		Divided{report.Target{Key: "ratio", Want: 8}, 2}, Tried{"small", report.Division{Name: "even"}},
		GateResult{"hidden", true, report.Gate{Verdict: report.Held}, true}, Outline{[]Work{{"hidden", "distil", "cut 1/2", 1, 3, 2.5}}}, Histograms{Weights, "hidden", 0, Distilled, true, map[string]Histogram{"vision": HistogramOf([]float64{1, 2, 4})}}, Histograms{Of: Importance, Stage: "inner", Cut: 2},
		Answers{"hidden", Pruned, []Answered{{Place: "test 3", Asked: []Asked{{"what?", []string{"it"}, "it", "that"}}}}}, Note{"a \"note\"\n\x1b"},
	} {
		text, err := Line(noon, now, e)
		require.NoError(t, err)
		at, back, err := ParseLine(text)
		require.NoError(t, err, string(text))
		assert.Equal(t, noon, at)
		assert.Equal(t, e, back, string(text))
	}
	text, err := Line(noon, now, Progress{3, 10, "steps", &loss})
	require.NoError(t, err)
	assert.Equal(t, `{"time":"2026-01-01T12:00:00.007Z","what":"progress","stage":"hidden","phase":"distil","detail":"cut 1/2","done":3,"total":10,"unit":"steps","loss":0.5}`, string(text))
}

func TestLinesThatCannotBe(t *testing.T) {
	_, err := Line(noon, Phase{}, Finished{})
	assert.Error(t, err)
	_, err = Line(noon, Phase{}, Step{Seconds: math.NaN()})
	assert.ErrorContains(t, err, `a line of "step"`)
	_, e, err := ParseLine([]byte(`{"time":"2026-01-01T12:00:00.000Z","what":"thought"}`))
	assert.NoError(t, err, "of a later version")
	assert.Nil(t, e)
	for _, broken := range []string{"", "\x00\x00", `{"time":"2026-01-01T12:00:00.000Z","what":"pro`, `{"what":"progress","time":"2026-01-01T12:00:00.000Z","done":"x"}`, "[]"} {
		_, e, err := ParseLine([]byte(broken))
		assert.Error(t, err, broken)
		assert.Nil(t, e)
	}
}

// A field without a name of its own would be written under its Go name.
func TestEveryFieldIsNamed(t *testing.T) {
	for _, e := range []any{Start{}, End{}, Progress{}, Curve{}, distillation.Point{}, Step{}, TeacherMeasured{}, StageMeasured{}, Cut{}, Chosen{}, Divided{}, Tried{}, GateResult{}, Outline{}, Work{}, Histograms{}, Histogram{}, Answers{}, Answered{}, Asked{}, Note{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(e)) {
			assert.NotEmpty(t, f.Tag.Get("json"), "%T.%s", e, f.Name)
		}
	}
}
