package gates

import (
	"context"
	"math/rand/v2"

	"espalier/pipeline/report"
)

// Setting is a world of simulated answers whose true loss is known.
type Setting struct {
	Pictures, Questions int
	Alpha               float64
	Loss                float64 // the true one
	Won                 float64 // share of questions that the student alone answers right; Won + Loss are the teacher's alone
	Together            float64 // share of pictures whose questions all go the same way; the others' are independent
}

// draw draws the answers to a validation split.
func (s Setting) draw(random *rand.Rand) []report.Outcome {
	out := make([]report.Outcome, s.Pictures)
	for i := range out {
		o := report.Outcome{Questions: float64(s.Questions)}
		together, common := random.Float64() < s.Together, random.Float64()
		for range s.Questions {
			u := common
			if !together {
				u = random.Float64()
			}
			if u >= s.Won {
				o.Teacher++
			}
			if u < s.Won || u >= 2*s.Won+s.Loss {
				o.Student++
			}
		}
		out[i] = o
	}
	return out
}

// Share is how often a method said held and lost in a setting, as fractions.
type Share struct{ Held, Lost float64 }

// Simulate draws answers so often and asks each method; the same seed gives the same shares.
func Simulate(ctx context.Context, s Setting, draws int, seed uint64) ([]Share, error) {
	shares := make([]Share, len(Methods))
	random, resampling := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	for draw := range draws {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		pictures := s.draw(random)
		for i, m := range Methods {
			if draw%m.Rare > 0 {
				continue
			}
			part := 1 / float64((draws+m.Rare-1)/m.Rare)
			switch m.Of(pictures, s.Alpha, resampling) {
			case report.Held:
				shares[i].Held += part
			case report.Lost:
				shares[i].Lost += part
			}
		}
	}
	return shares, nil
}

// Edge are settings whose true loss is alpha: held is wrong in them, and so is lost.
func Edge() (all []Setting) {
	for _, pictures := range []int{100, 400, 2000} {
		for _, alpha := range []float64{.005, .02, .06} {
			for _, won := range []float64{0, .01} {
				all = append(all, Setting{pictures, 1, alpha, alpha, won, 0})
				for _, together := range []float64{0, .3, 1} {
					all = append(all, Setting{pictures, 5, alpha, alpha, won, together})
				}
			}
		}
	}
	return all
}

// Equal are settings where the student loses nothing: there held is right. The teacher alone and the student alone are right as
// often each.
func Equal() (all []Setting) {
	for _, pictures := range []int{400, 2000, 4000} {
		for _, alpha := range []float64{.005, .02} {
			for _, won := range []float64{.002, .01} {
				for _, together := range []float64{0, .3, 1} {
					all = append(all, Setting{pictures, 5, alpha, 0, won, together})
				}
			}
		}
	}
	return all
}
