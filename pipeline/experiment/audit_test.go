package experiment

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/report"
)

// The figures of single answers are in per cent; a report that lacks them has no value, which is not 0.
func TestAuditColumns(t *testing.T) {
	precision := .985
	full := &report.Report{
		Teacher: report.Model{Confidence: &report.Confidence{ECE: .02, Accepted: &report.Accepted{Share: .75}}},
		Student: report.Model{Confidence: &report.Confidence{ECE: .03, Accepted: &report.Accepted{Share: .5, Precision: &precision}},
			Flips: map[string]report.Flips{report.Overall: {RightToWrong: 3, WrongToRight: 1, Questions: 200}}},
	}
	for name, want := range map[string]float64{"ece": 3, "teacher ece": 2, "accepted": 50, "teacher accepted": 75, "precision": 98.5, "right to wrong": 1.5, "wrong to right": .5} {
		column, err := columnOf(name)
		require.NoError(t, err)
		got, ok := column.Of(full)
		assert.True(t, ok, name)
		assert.InDelta(t, want, got, 1e-9, name)
		_, ok = column.Of(&report.Report{})
		assert.False(t, ok, name)
	}
}
