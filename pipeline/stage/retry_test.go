package stage

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/config"
	"espalier/pipeline/report"
)

// A stage stands when its gate passes and no task collapsed; a gate that may lose everything asks for nothing.
func TestSettled(t *testing.T) {
	of := func(accepted bool, alpha float64, collapsed ...string) bool {
		return settled(report.Stage{Accepted: accepted, Gate: report.Gate{Limits: report.Limits{Alpha: alpha}, Collapsed: collapsed}})
	}
	assert.True(t, of(true, .5))
	assert.False(t, of(true, .5, "color"))
	assert.True(t, of(true, 1, "color"))
	assert.False(t, of(false, .5))
}

// Of the tries that a gate accepts the one that lost least stays; a collapse alone does not make the student larger.
func TestTriesAfterACollapse(t *testing.T) {
	lost := func(drop float64) *attempt { return &attempt{report: report.Stage{Gate: report.Gate{Drop: drop}}} }
	a, b := lost(.2), lost(.1)
	assert.Same(t, a, better(nil, a))
	assert.Same(t, b, better(a, b))
	assert.Same(t, b, better(b, a))
	last := report.Stage{Attempts: 3, Tried: []report.Try{{Gate: a.report.Gate}, {Gate: b.report.Gate, Accepted: true}, {Gate: a.report.Gate}}, Gate: a.report.Gate}
	b.report.Accepted, b.report.Attempts, b.report.Tried = true, 2, last.Tried[:2]
	stands := b.after(last)
	assert.Equal(t, report.Stage{Attempts: 3, Tried: last.Tried, Gate: b.report.Gate, Accepted: true}, stands)
	assert.Equal(t, 1, stands.Try(), "not the last one")

	cfg := config.DefaultStage()
	cfg.Name, cfg.Cuts, cfg.Distil.Steps = "inner", 2, 100
	s := &one{Input: Input{Config: &config.Config{Stages: config.Stages{cfg}}}, cfg: &cfg, report: report.Stage{Accepted: true}}
	var whats []string
	for _, a := range triesOf(s, nil) {
		whats = append(whats, a.what)
		assert.Equal(t, "small/inner/"+a.at, PlaceOf("small/inner", a.what))
	}
	assert.Equal(t, []string{"the same size in 4 cuts", "67 more steps"}, whats)
}

// The report's name of a try tells where the chain has it.
func TestPlaceOf(t *testing.T) {
	assert.Equal(t, "inner", PlaceOf("inner", firstTry))
	assert.Equal(t, "inner/half", PlaceOf("inner", "half of the cut, in 2 cuts"))
}
