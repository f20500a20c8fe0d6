package report

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func at(v float64) *float64 { return &v }

// audited is a report with one stage whose accuracies and flips go together: of 1000 questions, 100 of them of style.
func audited() *Report {
	r := example()
	r.Stages = r.Stages[:1]
	r.Teacher.Accuracy, r.Teacher.OOD = Accuracy{Overall: .95, "style": .9}, nil
	r.Teacher.Confidence = &Confidence{ECE: .021, Bins: 15, Accepted: &Accepted{Wanted: .99, Threshold: at(.5), Share: .8, Precision: at(.985)}}
	r.Teacher.AccuracyByLength = []LengthAccuracy{{1, 600, .96}, {3, 400, .935}}
	s := &r.Stages[0]
	s.Distilled.Accuracy = Accuracy{Overall: .94, "style": .93}
	s.Distilled.Flips = map[string]Flips{Overall: {30, 20, 1000}, "style": {1, 4, 100}}
	s.Distilled.Confidence = &Confidence{ECE: .1, Bins: 15, Accepted: &Accepted{Wanted: .99}}
	s.Distilled.AccuracyByLength = []LengthAccuracy{{1, 1000, .94}}
	s.Pruned.Confidence = &Confidence{ECE: .3, Bins: 15}
	r.Student = s.Distilled
	r.Ratio = RatioOf(r.Teacher, r.Student)
	return r
}

func TestAuditTable(t *testing.T) {
	r := audited()
	require.NoError(t, r.Check())
	tables := r.Tables()
	table := tables[len(tables)-2]
	assert.Equal(t, "Flips and confidence on the test split", table.Title)
	assert.Equal(t, [][]string{
		{"teacher", "–", "–", "2.1", "80.0", "98.5", "–"},
		{"1 blocks", "30", "20", "10.0", "0.0", "–", "−1 +4"},
	}, table.Rows)
	assert.Len(t, table.Columns, len(table.Rows[0]))
	r.Stages[0].Distilled.Confidence.Accepted = nil
	assert.Equal(t, []string{"1 blocks", "30", "20", "10.0", "–", "–", "−1 +4"}, r.auditTable().Rows[1])
}

// Each breach alone must be named.
func TestCheckNamesAuditFaults(t *testing.T) {
	for want, breach := range map[string]func(*Report){
		`student.flips.style counts 99 and 4 of 100 questions`:                                  func(r *Report) { r.Student.Flips["style"] = Flips{99, 4, 100} },
		`student.flips.overall change the accuracy by 0, but it changed by -0.01`:               func(r *Report) { r.Student.Flips[Overall] = Flips{30, 30, 1000} },
		`stages[0] "blocks".distilled.flips.style counts 0 and 0 of 0 questions`:                func(r *Report) { delete(r.Student.Flips, "style") },
		`teacher.confidence.ece is 1.5, not in [0, 1]`:                                          func(r *Report) { r.Teacher.Confidence.ECE = 1.5 },
		`teacher.confidence.accepted.share is -0.1, not in [0, 1]`:                              func(r *Report) { r.Teacher.Confidence.Accepted.Share = -.1 },
		`teacher.confidence.accepted.precision is 2, not in [0, 1]`:                             func(r *Report) { r.Teacher.Confidence.Accepted.Precision = at(2) },
		`teacher.confidence.accepted: a share of 0.8 goes with neither threshold nor precision`: func(r *Report) { r.Teacher.Confidence.Accepted.Precision = nil },
		`student.confidence.accepted: a share of 0.5 goes with neither threshold nor precision`: func(r *Report) { r.Student.Confidence.Accepted.Share = .5 },
		`teacher.accuracy_by_length[1] is of 400 questions of 1 tokens`:                         func(r *Report) { r.Teacher.AccuracyByLength[1].Tokens = 1 },
		`teacher.accuracy_by_length[0].accuracy is 7, not in [0, 1]`:                            func(r *Report) { r.Teacher.AccuracyByLength[0].Accuracy = 7 },
		`stages[0] "blocks".pruned.confidence.ece is -1, not in [0, 1]`:                         func(r *Report) { r.Stages[0].Pruned.Confidence.ECE = -1 },
	} {
		t.Run(want, func(t *testing.T) {
			r := audited()
			breach(r)
			assert.ErrorContains(t, r.Check(), want)
		})
	}
}

// The names are read by other programs. A report of an earlier version has none of them; it reads, and says what it said.
func TestAuditFields(t *testing.T) {
	r := audited()
	r.Student.FlipsByCategory = map[string]map[string]Flips{"phone": r.Student.Flips}
	text, err := json.Marshal(r.Student)
	require.NoError(t, err)
	for _, want := range []string{`"accuracy_by_length":[{"tokens":1,"questions":1000,"accuracy":0.94}]`, `"confidence":{"ece":0.1,"bins":15,"accepted":{"precision_wanted":0.99,"share":0}}`,
		`"flips":{"overall":{"right_to_wrong":30,"wrong_to_right":20,"questions":1000},`, `"flips_by_category":{"phone":{"overall":{"right_to_wrong":30`} {
		assert.Contains(t, string(text), want)
	}
	path := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, r.Write(path))
	again, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, r.Student, again.Student)

	require.NoError(t, example().Write(path)) // as earlier versions wrote it
	old, err := Read(path)
	require.NoError(t, err)
	require.NoError(t, old.Check())
	assert.Nil(t, old.Student.Confidence)
	for _, table := range old.Tables() {
		assert.False(t, strings.HasPrefix(table.Title, "Flips"), "no empty table")
	}
}
