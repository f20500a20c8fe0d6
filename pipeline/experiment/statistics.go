package experiment

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Summary is a column over the seeds of a setting.
type Summary struct {
	N        int
	Mean, SD float64 // SD is 0 for one seed
}

func summarise(values []float64) Summary {
	s := Summary{N: len(values)}
	switch s.N {
	case 0:
	case 1:
		s.Mean = values[0]
	default:
		s.Mean, s.SD = stat.MeanStdDev(values, nil)
	}
	return s
}

// HalfWidth is that of the mean's 95 per cent interval, by Student's t; infinite for one seed.
func (s Summary) HalfWidth() float64 {
	if s.N < 2 {
		return math.Inf(1)
	}
	t := distuv.StudentsT{Sigma: 1, Nu: float64(s.N - 1)}.Quantile(.975)
	return t * s.SD / math.Sqrt(float64(s.N))
}
