package measure

import (
	"cmp"
	"slices"

	"espalier/pipeline/report"
)

// An answer's confidence is its probability: the product of those of its tokens, each the most likely one, and of its end.
const (
	calibrationBins = 15  // of equal width
	wantedPrecision = .99 // of answers that nobody looks at
)

// sure is an answer with its confidence.
type sure struct {
	confidence float64
	right      bool
}

func (m Marks) sure() (out []sure) {
	for p := range m.Right {
		for j := range m.Right[p] {
			out = append(out, sure{m.Confidence[p][j], m.right(p, j)})
		}
	}
	return out
}

// confidenceOf says what a network's confidence is worth on the test split. The threshold of what can be accepted automatically is chosen on
// the validation split, so that the precision is one of answers that had no part in the choice; nil leaves it out.
func confidenceOf(validation *Marks, test Marks) *report.Confidence {
	answers := test.sure()
	c := &report.Confidence{ECE: calibrationError(answers), Bins: calibrationBins}
	if validation != nil {
		a := accepted(validation.sure(), answers)
		c.Accepted = &a
	}
	return c
}

// calibrationError is the expected calibration error (Guo et al., arXiv 1706.04599): over bins of equal width in confidence, the mean
// distance between accuracy and mean confidence, weighted by the answers in a bin.
func calibrationError(answers []sure) (ece float64) {
	var bins [calibrationBins]float64 // accuracy less confidence, summed up
	for _, a := range answers {
		bin := &bins[min(int(a.confidence*calibrationBins), calibrationBins-1)]
		*bin -= a.confidence
		if a.right {
			*bin++
		}
	}
	for _, gap := range bins {
		ece += max(gap, -gap) / float64(len(answers))
	}
	return ece
}

// accepted accepts the test answers that are at least as sure as the threshold from validation.
func accepted(validation, test []sure) report.Accepted {
	out := report.Accepted{Wanted: wantedPrecision}
	threshold, ok := thresholdOf(validation)
	if !ok {
		return out
	}
	out.Threshold = &threshold
	var t tally
	for _, a := range test {
		if a.confidence >= threshold {
			t.add(a.right)
		}
	}
	out.Share = float64(t.asked) / float64(len(test))
	if t.asked > 0 {
		precision := t.share()
		out.Precision = &precision
	}
	return out
}

// thresholdOf is the least confidence from which on so many answers are right as is wanted; ok is false where there is none.
func thresholdOf(answers []sure) (threshold float64, ok bool) {
	answers = slices.Clone(answers)
	slices.SortFunc(answers, func(a, b sure) int { return cmp.Compare(b.confidence, a.confidence) })
	var t tally
	for i, a := range answers {
		t.add(a.right)
		last := i+1 == len(answers) || answers[i+1].confidence < a.confidence // of its equals
		if last && t.share() >= wantedPrecision {
			threshold, ok = a.confidence, true
		}
	}
	return threshold, ok
}
