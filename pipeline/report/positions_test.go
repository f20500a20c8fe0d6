package report

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPositionsOf(t *testing.T) {
	assert.Nil(t, PositionsOf(nil))
	assert.Nil(t, PositionsOf([]string{"11", "01", ""}), "one token and the end")
	p := PositionsOf([]string{"1111", "1011", "1000", "001", "111", ""})
	require.NotNil(t, p)
	assert.Equal(t, 5, p.Answers)
	assert.Equal(t, []AtToken{{5, .8}, {5, .4}, {5, .8}, {3, 2. / 3}}, p.Tokens)
	assert.Equal(t, []AfterFirst{{1, 1, []float64{1, 0}}, {2, 2, []float64{.5, .5}}}, p.ByFirst)
	// Behind errors: 1 of 1 at the second place, 1 of 3 at the third, 1 of 2 at the fourth. Without: 2 of 4, 0 of 2, 0 of 1.
	assert.InDelta(t, 3./6, *p.AfterError, 1e-12)
	assert.InDelta(t, (1*.5+3*0+2*0)/6, *p.WithoutError, 1e-12)

	p = PositionsOf([]string{"111", "110"})
	assert.Nil(t, p.AfterError, "nothing follows the only error")
	assert.Equal(t, []AfterFirst{{3, 1, []float64{}}}, p.ByFirst)

	// Where no answer is right up to a place, it has nothing to be compared with.
	p = PositionsOf([]string{"000", "001"})
	assert.Nil(t, p.AfterError)
}

// Answers drawn with known rates: a token is wrong with .1, behind an error with .6; or with .2 whatever was before.
func TestPositionsFindTheRates(t *testing.T) {
	for _, want := range [][2]float64{{.1, .6}, {.2, .2}} {
		r := rand.New(rand.NewPCG(1, 2))
		answers := make([]string, 40_000)
		for i := range answers {
			erred := false
			for range 4 + r.IntN(4) {
				rate := want[0]
				if erred {
					rate = want[1]
				}
				if r.Float64() < rate {
					answers[i], erred = answers[i]+"0", true
				} else {
					answers[i] += "1"
				}
			}
		}
		p := PositionsOf(answers)
		assert.InDelta(t, want[1], *p.AfterError, .01)
		assert.InDelta(t, want[0], *p.WithoutError, .01)
		assert.InDelta(t, 1-want[0], p.Tokens[0].Accuracy, .01)
		require.Len(t, p.ByFirst, 7)
		for _, by := range p.ByFirst[:4] {
			for _, wrong := range by.Wrong[:2] {
				assert.InDelta(t, want[1], wrong, .05)
			}
		}
	}
}

func TestPositionTable(t *testing.T) {
	model := func(answers ...string) Model {
		return Model{Accuracy: Accuracy{Overall: 1}, Positions: PositionsOf(answers)}
	}
	r := &Report{Teacher: model("111", "111"), Stages: []Stage{{Name: "blocks", Distilled: model("100", "111")}}}
	r.Student = r.Stages[0].Distilled
	var titles []string
	for _, table := range r.Tables() {
		titles = append(titles, table.Title)
		if strings.HasPrefix(table.Title, "Answers token by token") {
			assert.Equal(t, "[[teacher 100.0 100.0 100.0 – –] [1 blocks 100.0 50.0 50.0 100.0 0.0]]", fmt.Sprint(table.Rows))
		}
	}
	assert.Contains(t, strings.Join(titles, "\n"), "Answers token by token")
	r.Teacher.Positions = nil
	assert.Len(t, r.Tables(), len(titles)-1)
}
