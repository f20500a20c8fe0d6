package experiment

import (
	"strconv"

	"espalier/pipeline/report"
)

func afterError(p *report.Positions) *float64   { return p.AfterError }
func withoutError(p *report.Positions) *float64 { return p.WithoutError }

// rateOf is a share of wrong tokens, in per cent, where there are answers of several tokens with an error.
func rateOf(of func(*report.Report) *report.Positions, rate func(*report.Positions) *float64) func(*report.Report) (float64, bool) {
	return func(r *report.Report) (float64, bool) {
		p := of(r)
		if p == nil || rate(p) == nil {
			return 0, false
		}
		return 100 * *rate(p), true
	}
}

// atToken is the accuracy of the answers' token of that number, from 1.
func atToken(p *report.Positions, number string) (float64, bool) {
	n, err := strconv.Atoi(number)
	if err != nil || p == nil || n < 1 || n > len(p.Tokens) {
		return 0, false
	}
	return 100 * p.Tokens[n-1].Accuracy, true
}
