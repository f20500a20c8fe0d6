package bench

import (
	"fmt"
	"math"
	"slices"

	"espalier/torch"
	"espalier/torch/nn"
)

// How far the two sides' results may lie apart.
const (
	logitsAllowed     = 1e-4
	lossAllowed       = 1e-4
	bf16LossAllowed   = 1e-2
	importanceAllowed = 1e-3 // as a share of the greatest: sums of hundreds of thousands of absolute values
	stepsCompared     = 3
)

// compare asks the peer for what this side computes as well.
func (r *runner) compare() ([]Check, error) {
	var checks []Check
	for _, f := range []func() ([]Check, error){r.compareLogits, r.compareAnswers, r.compareLosses, r.compareImportance, r.compareCut} {
		found, err := f()
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		checks = append(checks, found...)
	}
	for _, c := range checks {
		if !(c.Difference <= c.Allowed) { // also when it is not a number
			return nil, fmt.Errorf("bench: the two sides do not compute the same, so their times cannot be compared: %s differ by %.3g, %.3g is allowed",
				c.Name, c.Difference, c.Allowed)
		}
	}
	return checks, nil
}

func (r *runner) compareLogits() (checks []Check, err error) {
	for _, network := range []string{"teacher", "student"} {
		mine, err := r.here.logits(network, 0)
		if err != nil {
			return nil, err
		}
		a, err := r.there.ask(request{"do": "logits", "net": network, "batch": 0})
		if err != nil {
			return nil, err
		}
		checks = append(checks, Check{Name: "the logits of the " + network, Difference: farthest(mine, a.Logits), Allowed: logitsAllowed})
	}
	return checks, nil
}

func (r *runner) compareAnswers() (checks []Check, err error) {
	n := len(r.here.answers)
	for _, network := range []string{"teacher", "student"} {
		_, mine, err := r.here.answer(n, network, 0)
		if err != nil {
			return nil, err
		}
		q := answerRequest(r.here, network, 0)
		q["n"] = n
		a, err := r.there.ask(q)
		if err != nil {
			return nil, err
		}
		other := float64(max(len(mine), len(a.Answers)))
		for i := range min(len(mine), len(a.Answers)) {
			if slices.Equal(mine[i], a.Answers[i]) {
				other--
			}
		}
		checks = append(checks, Check{Name: fmt.Sprintf("%d greedy answers of the %s", n, network), Difference: other})
	}
	return checks, nil
}

func (r *runner) compareLosses() (checks []Check, err error) {
	for _, p := range []struct {
		name    string
		dtype   torch.DType
		allowed float64
	}{{"fp32", torch.Float32, lossAllowed}, {"bf16", torch.BFloat16, bf16LossAllowed}} {
		_, mine, err := r.here.step(stepsCompared-1, p.dtype)
		if err != nil {
			return nil, err
		}
		q := stepRequest(p.dtype)
		q["n"] = stepsCompared - 1
		a, err := r.there.ask(q)
		if err != nil {
			return nil, err
		}
		checks = append(checks, Check{Name: fmt.Sprintf("the losses of %d training steps in %s", stepsCompared, p.name),
			Difference: farthest(mine, a.Losses), Allowed: p.allowed})
	}
	return checks, nil
}

// compareImportance compares the scores of whole blocks, which all gradients go into.
func (r *runner) compareImportance() ([]Check, error) {
	_, scores, err := r.here.importance(1)
	if err != nil {
		return nil, err
	}
	q := importanceRequest()
	q["n"] = 1
	a, err := r.there.ask(q)
	if err != nil {
		return nil, err
	}
	var mine, theirs []float64
	for _, stack := range axesOf(r.here.networks["teacher"], nn.Blocks) {
		mine, theirs = append(mine, scores[stack.Name]...), append(theirs, a.Blocks[stack.Tower]...)
	}
	return []Check{{Name: "the importance of blocks", Difference: farthest(mine, theirs) / slices.Max(mine), Allowed: importanceAllowed}}, nil
}

// farthest is the greatest difference of elements; lists of different lengths are infinitely far apart.
func farthest(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	d := 0.
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i])) // not a number when either is not
	}
	return d
}

// compareCut has the peer cut the teacher as newStudent does, with the tables of bench/peers/cuts.py, and compares every parameter; and has it hold a
// cut that this side does not make against the same with zeros.
func (r *runner) compareCut() ([]Check, error) {
	blocks, units := map[string]int{}, map[string]map[nn.Kind]int{}
	for tower, kinds := range studentSizes {
		blocks[tower], units[tower] = kinds[nn.Blocks], kinds
	}
	a, err := r.there.ask(request{"do": "cut", "blocks": blocks, "units": units})
	if err != nil {
		return nil, err
	}
	if n := len(r.here.networks["student"].Store().Params()); len(a.Logits) != n {
		return nil, fmt.Errorf("the peer's cut leaves %d tensors, this side's %d", len(a.Logits), n)
	}
	inside := map[string]map[nn.Kind]int{}
	for tower := range studentSizes {
		inside[tower] = map[nn.Kind]int{nn.Heads: 3, nn.KeySize: 12, nn.ValueSize: 12, nn.FFN: 100}
	}
	masked, err := r.there.ask(request{"do": "masked", "units": inside, "batch": 0})
	if err != nil {
		return nil, err
	}
	return []Check{{Name: "the parameters of a cut", Difference: slices.Max(a.Logits)},
		{Name: "the peer's masked and cut networks", Difference: slices.Max(masked.Logits), Allowed: 1e-9}}, nil
}
