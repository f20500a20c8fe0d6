package report

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The headline has both networks' figures, and says "slower" where a student is.
func TestHeadline(t *testing.T) {
	r, err := Read(filepath.Join("..", "..", "cmd", "pipeline", "testdata", "report.json"))
	require.NoError(t, err)
	r.Ratio.LatencyP50 = .5
	h := Headline(r)
	require.Len(t, h, 5)
	assert.Equal(t, Figure{"size", "18.5× smaller", "164,412 of 3,044,640 parameters; 0.66 of 12.18 MB"}, h[0])
	assert.Equal(t, "2.0× slower", h[1].Value)
	assert.Equal(t, "accuracy", h[3].Name)
	assert.Contains(t, h[3].Detail, "teacher 97.6 %")
}

// The judgement is that of the last stage that was accepted, and says where a later one was not.
func TestJudge(t *testing.T) {
	limits := Limits{Alpha: .02, Need: NeedNotLost}
	blocks := Stage{Name: "blocks", Accepted: true, Gate: Gate{Limits: limits, Verdict: Undecided, Drop: .01, CI: [2]float64{0, .03}, Split: "validation", PicturesNeeded: 1234}}
	hidden := Stage{Name: "hidden", Gate: Gate{Limits: limits, Verdict: Lost, Drop: .1, CI: [2]float64{.05, .15}, Split: "validation"}}
	j := Judge(&Report{Stages: []Stage{blocks, hidden}})
	assert.Equal(t, Undecided, j.Word)
	assert.Equal(t, "Stage hidden was not accepted; the student is the one of stage blocks. On the validation split the student lost 1.0 points of accuracy against the teacher, "+
		"with 95 % certainty 0.0 to 3.0; stage blocks may lose 2.0. These pictures cannot show whether the loss is within that; 1,234 validation pictures would.", j.Text)

	hidden.Accepted, hidden.Gate.Verdict, hidden.Gate.CI = true, Held, [2]float64{-.01, .01}
	j = Judge(&Report{Stages: []Stage{blocks, hidden}})
	assert.Equal(t, Held, j.Word)
	assert.Contains(t, j.Text, "−1.0 to 1.0; stage hidden may lose 2.0. The loss is within that.")

	assert.Equal(t, Judgement{Text: "No stage was accepted: the student is the teacher."}, Judge(&Report{}))
}
