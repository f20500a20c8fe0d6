package bench

import (
	"context"
	"fmt"
	"math"
	"slices"

	"espalier/torch"
	"espalier/torch/nn"
)

// How far the two sides' results may lie apart.
const (
	logitsAllowed     = 1e-4
	lossAllowed       = 1e-4 // of losses above 1 as a share
	bf16LossAllowed   = 1e-2 // or ownErrors times what the peer's lie from its own in float32, where this is more
	ownErrors         = 3
	importanceAllowed = 1e-3 // as a share of the greatest: sums of hundreds of thousands of absolute values
	stepsCompared     = 3    // at most
	halfAllowed       = .05  // as a share of the greatest logit, of weights in bfloat16, whose numbers have 8 bits
)

// ties are how many of so many answers the two sides may give differently: of weights in bfloat16 a quarter, since logits with 8 bits are often alike.
func (h *here) ties(answers int) float64 {
	if h.half {
		return float64(answers / 4)
	}
	return 0
}

// compare asks the peer for what this side computes as well, as far as the measures at hand need it.
func (r *runner) compare(ctx context.Context) ([]Check, error) {
	var checks []Check
	of := []func() ([]Check, error){r.compareLogits}
	if r.needs[answersAlike] {
		of = append(of, r.compareAnswers)
	}
	of = append(of, r.compareLosses)
	if r.needs[importanceAlike] {
		of = append(of, r.compareImportance)
	}
	if r.here.networks["student"] != nil {
		of = append(of, r.compareCut)
	}
	for _, f := range of {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		found, err := f()
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		checks = append(checks, found...)
	}
	for _, c := range checks {
		if err := c.void(); err != nil {
			return nil, err
		}
	}
	for i := range checks {
		checks[i].Name = r.here.measure(checks[i].Name)
	}
	return checks, nil
}

// void says that nothing can be compared where the sides differ by more than is allowed.
func (c Check) void() error {
	if c.Difference <= c.Allowed { // not so where it is not a number
		return nil
	}
	return fmt.Errorf("bench: the two sides do not compute the same, so their times cannot be compared: %s differ by %.3g, %.3g is allowed",
		c.Name, c.Difference, c.Allowed)
}

func (r *runner) compareLogits() (checks []Check, err error) {
	for _, network := range r.here.names() {
		mine, err := r.here.logits(network, 0)
		if err != nil {
			return nil, err
		}
		a, err := r.there.ask(request{"do": "logits", "net": network, "batch": 0})
		if err != nil {
			return nil, err
		}
		c := Check{Name: "the logits of the " + network, Difference: farthest(mine, a.Logits), Allowed: logitsAllowed}
		if r.here.half {
			c.Allowed = halfAllowed * slices.Max(mine)
		}
		checks = append(checks, c)
	}
	return checks, nil
}

func (r *runner) compareAnswers() (checks []Check, err error) {
	for _, network := range r.here.names() {
		other, err := r.otherAnswers(r.there, network, r.here.compared, 1)
		if err != nil {
			return nil, err
		}
		checks = append(checks, Check{Name: fmt.Sprintf("%d greedy answers of the %s", r.here.compared, network), Difference: other, Allowed: r.here.ties(r.here.compared)})
	}
	return checks, nil
}

// otherAnswers is how many answers a peer gives that are not this side's, or that only one side gives.
func (r *runner) otherAnswers(p *process, network string, n, batch int) (float64, error) {
	_, mine, err := r.here.answer(n, network, 0, batch)
	if err != nil {
		return 0, err
	}
	q := answerRequest(r.here, network, 0, batch)
	q["n"] = n
	a, err := p.ask(q)
	if err != nil {
		return 0, err
	}
	other := max(len(mine), len(a.Answers))
	for i := range min(len(mine), len(a.Answers)) {
		if slices.Equal(mine[i], a.Answers[i]) {
			other--
		}
	}
	return float64(other), nil
}

func (r *runner) compareLosses() (checks []Check, err error) {
	var wide []float64 // the peer's in float32
	for _, p := range []struct {
		needs string
		dtype torch.DType
	}{{lossesAlike, torch.Float32}, {halvesAlike, torch.BFloat16}} {
		if !r.needs[p.needs] {
			continue
		}
		n := min(stepsCompared, r.here.compared)
		_, mine, err := r.here.step(n-1, p.dtype)
		if err != nil {
			return nil, err
		}
		theirs, err := r.theirLosses(n, p.dtype)
		if err != nil {
			return nil, err
		}
		c := Check{Name: fmt.Sprintf("the losses of %d training steps in %s", n, short(p.dtype)), Difference: farthest(mine, theirs)}
		if p.dtype == torch.Float32 {
			wide, c.Allowed = theirs, wideLossAllowed(theirs)
		} else {
			if wide == nil {
				if wide, err = r.theirLosses(n, torch.Float32); err != nil {
					return nil, err
				}
			}
			c.Allowed = halfLossAllowed(theirs, wide)
		}
		checks = append(checks, c)
	}
	return checks, nil
}

// wideLossAllowed is how far losses in float32 may lie from the peer's.
func wideLossAllowed(theirs []float64) float64 { return lossAllowed * max(1, slices.Max(theirs)) }

// halfLossAllowed is how far losses in bfloat16 may lie from the peer's, which lie so far from its own in float32.
func halfLossAllowed(theirs, wide []float64) float64 {
	return max(bf16LossAllowed, ownErrors*farthest(theirs, wide))
}

// theirLosses are the peer's losses of n training steps.
func (r *runner) theirLosses(n int, d torch.DType) ([]float64, error) {
	q := stepRequest(d)
	q["n"] = n - 1
	a, err := r.there.ask(q)
	if err == nil && len(a.Losses) != n {
		err = fmt.Errorf("the Python side gave %d losses, %d were asked for", len(a.Losses), n)
	}
	return a.Losses, err
}

// compareImportance compares the scores of whole blocks, which all gradients go into.
func (r *runner) compareImportance() ([]Check, error) {
	_, scores, err := r.here.importance(1)
	if err != nil {
		return nil, err
	}
	q := importanceRequest(r.here)
	q["n"] = 1
	a, err := r.there.ask(q)
	if err != nil {
		return nil, err
	}
	var mine, theirs []float64
	for _, stack := range axesOf(r.here.networks["teacher"], nn.Blocks) {
		mine, theirs = append(mine, scores[stack.Name]...), append(theirs, a.Blocks[stack.Tower]...)
	}
	c := Check{Name: "the importance of blocks", Difference: farthest(mine, theirs) / slices.Max(mine), Allowed: importanceAllowed}
	if r.here.half {
		c.Allowed = halfAllowed
	}
	return []Check{c}, nil
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
