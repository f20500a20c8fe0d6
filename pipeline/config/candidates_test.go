package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func names(tried []Candidate) (out []string) {
	for _, c := range tried {
		out = append(out, c.String())
	}
	return out
}

// A stage tries its own way to score and two more, with a tenth of its steps, or up to a third where that would be too few.
func TestTriedWaysToScore(t *testing.T) {
	s := StageConfig{Name: "hidden", Criterion: "gradient", Loss: "cross-entropy"}
	for _, c := range []struct{ steps, each int }{{1500, 50}, {450, 25}, {300, 25}, {225, 25}} {
		s.Distil.Steps = c.steps
		tried, each := s.Tried()
		assert.Equal(t, []string{"gradient/cross-entropy", "taylor-sample/margin", "taylor-vector/margin"}, names(tried))
		assert.Equal(t, c.each, each, "%d steps", c.steps)
		assert.LessOrEqual(t, 3*each, c.steps/3)
	}
	s.Distil.Steps = 224
	tried, _ := s.Tried()
	assert.Len(t, tried, 1, "25 steps for each of three are more than a third")

	s.Candidates = &[]string{"random", "taylor/margin", "gradient/cross-entropy"}
	tried, each := s.Tried()
	assert.Equal(t, []string{"gradient/cross-entropy", "random", "taylor/margin"}, names(tried), "its own is not tried twice")
	assert.Equal(t, 24, each, "what is asked for is tried all the same")
	s.CandidateSteps = 7
	_, each = s.Tried()
	assert.Equal(t, 7, each)
	s.Candidates = &[]string{}
	tried, _ = s.Tried()
	assert.Len(t, tried, 1)

	s = StageConfig{Name: "blocks", Criterion: "taylor-sample", Loss: "margin"}
	s.Distil.Steps = 1000
	tried, _ = s.Tried()
	assert.Equal(t, []string{"taylor-sample/margin", "gradient/cross-entropy", "cosine"}, names(tried))
	s.Criterion = "last"
	tried, _ = s.Tried()
	assert.Equal(t, []string{"last", "taylor-sample/margin", "gradient/cross-entropy"}, names(tried))
}

// Steps that other short training has taken are gone from the stage's, and from its candidates'.
func TestSpentSteps(t *testing.T) {
	s := StageConfig{Name: "hidden", Criterion: "gradient", Loss: "cross-entropy"}
	s.Distil.Steps = 1500
	s.Spend(250)
	tried, each := s.Tried()
	assert.Len(t, tried, 3)
	assert.Equal(t, 50, each)
	assert.Equal(t, 1250, s.Distil.Steps)

	s = StageConfig{Name: "hidden", Criterion: "gradient", Loss: "cross-entropy"}
	s.Distil.Steps = 240
	s.Spend(40)
	tried, _ = s.Tried()
	assert.Len(t, tried, 1, "no candidate can train for 25 steps")
	assert.Equal(t, 200, s.Distil.Steps)
}

func TestFaultsOfCandidates(t *testing.T) {
	for set, want := range map[string]string{
		`stage.hidden.candidates=["gradiant/margin"]`: `-set stage.hidden.candidates=["gradiant/margin"]: stage[1] "hidden": candidates: "gradiant" is not one of`,
		`stage.hidden.candidates=["gradient/hinge"]`:  `candidates: "hinge" is not one of "cross-entropy", "distillation", "margin"`,
		`stage.hidden.candidates=["random/margin"]`:   `candidates: "random" takes no loss: write "random"`,
		`stage.hidden.candidates=["cosine"]`:          `candidates: "cosine" scores whole blocks: a stage named "hidden" needs another`,
		`stage.hidden.candidates="cosine"`:            `candidates: must be a list of texts as ["taylor-sample/margin"], not the text "cosine"`,
	} {
		_, err := Parse("run.toml", small, set)
		assert.ErrorContains(t, err, want)
	}
	_, err := Parse("run.toml", small, "stage.hidden.distil.steps=100", "stage.hidden.candidate_steps=20")
	assert.ErrorContains(t, err, "candidate_steps: 3 candidates of 20 steps are more than half of distil.steps = 100")
	_, err = Parse("run.toml", small, "target.ratio=2", "target.bytes=1 MB")
	assert.ErrorContains(t, err, "a target gives one of ratio, language_ratio, parameters, bytes, latency_ms; here are 2")
}
