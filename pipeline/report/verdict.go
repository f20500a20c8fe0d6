package report

// VerdictOf is what pictures prove of a loss against alpha: what a gate says of them, without its interval.
func VerdictOf(pictures []Outcome, alpha float64) Verdict {
	all := tallies(pictures)
	switch {
	case doubt(all, alpha) <= miss:
		return Held
	case doubt(gains(all), -alpha) < miss:
		return Lost
	}
	return Undecided
}
