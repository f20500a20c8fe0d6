package target

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/network"
	"espalier/torch"
)

// Input is what a target is solved for.
type Input struct {
	Config    *config.Config
	Teacher   model.Network // its values are not read
	Dtypes    model.Dtypes  // of the teacher's weights
	Questions *corpus.Corpus
}

// Solution is the divisions that meet a target, the even one first.
type Solution struct {
	Key       string
	Want      float64
	Divisions []*Division
}

// Division is a configuration whose stages say what they keep, and the student that they make.
type Division struct {
	Point
	Config *config.Config
	Keeps  string // in words: "vision 2 blocks, 3 heads, FFN 168, width 24; …"
	Depth  int    // blocks of all towers
}

// profiled is how many networks are timed for the cost model, and corrections how many are timed for a latency, of each division.
const (
	profiled    = 24
	corrections = 8
)

// A target of latency is met by a network that takes between these shares of it; aim is what is looked for.
const lowest, aim, highest = .875, .91, .945

// Solver solves the targets of a run. The device is measured once for all of them.
type Solver struct {
	space *space
	whole *Point
	timer *timer
	clock *clock
}

// NewSolver measures the device with networks of the sizes that the targets are about.
func NewSolver(ctx context.Context, c *chain.Chain, in Input) (*Solver, error) {
	s := &Solver{space: newSpace(in.Config, in.Teacher, in.Dtypes)}
	if len(s.space.vars) == 0 {
		return nil, fault.Inputf("target: no stage cuts anything: give stages named blocks, inner or hidden")
	}
	s.whole = s.space.uncut()
	s.timer = &timer{ctx: ctx, chain: c, in: in, space: s.space}
	most, enough, sizes := 0., 0., false
	for i := range in.Config.Targets {
		key, want := in.Config.Targets[i].Want()
		if key == "latency_ms" {
			most, enough = 1, max(enough, 3*want)
			continue
		}
		sizes = true
		l := limitOf(key, want, s.whole)
		most = max(most, min(1, 3*l.most/l.of(s.whole)))
	}
	if sizes { // all networks up to the sizes are timed
		enough = 0
	}
	var err error
	s.clock, err = s.timer.clock(most*float64(s.whole.Parameters), enough)
	return s, err
}

// Solve finds divisions of a target's size. For a target of latency the sizes that were found are measured too, and corrected.
func (s *Solver) Solve(t config.TargetConfig) (*Solution, error) {
	key, want := t.Want()
	l := limitOf(key, want, s.whole)
	if key == "latency_ms" {
		l = limit{s.clock.of, want}
	}
	at := "target"
	if t.Name != "" {
		at = fmt.Sprintf("target %q", t.Name)
	}
	if most := l.of(s.whole); most <= l.most {
		return nil, fault.Inputf("%s: %s = %g is met by the teacher itself (%g): nothing would be cut", at, key, want, shown(key, most, s.whole))
	}
	points, reached, err := s.divisions(t, l)
	if err != nil {
		return nil, err
	}
	if len(points) == 0 {
		return nil, fault.Inputf("%s: %s = %g cannot be met: the smallest student that these stages can make has %d parameters and %s %.4g; "+
			"ask for less, or let the stages cut more kinds", at, key, want, s.space.at(s.space.least()).Parameters, key, shown(key, reached, s.whole))
	}
	solution := &Solution{Key: key, Want: want}
	for _, p := range points {
		cfg := s.space.config(p.Units)
		deepen(cfg, s.space.vars, p.Units)
		if _, err := cfg.FitExport(s.space.teacher); err != nil {
			return nil, err
		}
		solution.Divisions = append(solution.Divisions, &Division{*p, cfg, s.space.words(p), p.depth()})
	}
	return solution, nil
}

// divisions are those that are tried for a target, and the least that one reaches where none meets it.
func (s *Solver) divisions(t config.TargetConfig, l limit) (points []*Point, reached float64, err error) {
	key, want := t.Want()
	reached = l.of(s.space.at(s.space.least()))
	sought := l
	if key == "latency_ms" {
		sought.most = max(aim*want, reached*1.001) // the measurement tells whether the smallest one is too slow
	}
	for _, f := range favours {
		if p := s.space.divide(f, sought); p != nil {
			p.LatencyMS = s.clock.of(p)
			points = append(points, p)
		}
	}
	points = farApart(points, t.Divisions)
	if key != "latency_ms" {
		return points, reached, nil
	}
	var measured []*Point
	for i, p := range points {
		found, fastest, err := s.timer.correct(t.Name, p, s.clock, want)
		if err != nil {
			return nil, 0, err
		}
		if found != nil {
			measured = append(measured, found)
		}
		if i == 0 || fastest < reached {
			reached = fastest
		}
	}
	if slow := slices.DeleteFunc(slices.Clone(measured), func(p *Point) bool { return p.LatencyMS < lowest*want }); len(slow) > 0 {
		measured = slow // what is faster than it needs to be is not tried beside those that are not
	}
	return farApart(measured, len(measured)), reached, nil // no two are equal
}

// limitOf is a target of size as a measure and the most of it.
func limitOf(key string, want float64, whole *Point) limit {
	switch key {
	case "ratio":
		return limit{func(p *Point) float64 { return float64(p.Parameters) }, float64(whole.Parameters) / want}
	case "language_ratio":
		return limit{func(p *Point) float64 { return float64(p.LanguageBlocks) }, float64(whole.LanguageBlocks) / want}
	case "bytes":
		return limit{func(p *Point) float64 { return float64(p.Bytes) }, want}
	}
	return limit{func(p *Point) float64 { return float64(p.Parameters) }, want}
}

// shown is a measure in the words of its key.
func shown(key string, measure float64, whole *Point) float64 {
	switch key {
	case "ratio":
		return float64(whole.Parameters) / measure
	case "language_ratio":
		return float64(whole.LanguageBlocks) / measure
	}
	return measure
}

// timer measures networks of a space on the device.
type timer struct {
	ctx   context.Context
	chain *chain.Chain
	in    Input
	space *space
	asked int
}

// measure is the latencies of networks, in milliseconds, for a target's name or, where that is empty, for all of them.
func (t *timer) measure(name string, points []*Point, what string, span, pause time.Duration, enough float64) ([]float64, error) {
	n := t.in.Teacher
	config, err := n.Config().Marshal()
	if err != nil {
		return nil, err
	}
	shape := network.New(chain.Of([]any{string(config), n.Store().Structure()}), n, nil, nil)
	in := profileInput{Shape: shape, Questions: t.in.Questions, MaxTokens: t.in.Config.Eval.MaxAnswerTokens, DType: t.dtype(), Span: span, Pause: pause, Enough: enough}
	for _, p := range points {
		sizes, err := t.space.structure(p)
		if err != nil {
			return nil, err
		}
		in.Sizes = append(in.Sizes, sizes)
	}
	t.asked++
	at := fmt.Sprintf("target %s/%s %d", name, what, t.asked)
	kept, err := chain.Do(t.ctx, t.chain, chain.Place{At: at, Phase: event.Phase{Name: "time", Detail: what}}, profileStep, in)
	return kept.Value, err
}

// dtype is what most of the student's weights are computed in. Those of int8 are float32 there ([model.Stored]).
func (t *timer) dtype() torch.DType {
	if d := t.space.stored[t.in.Teacher.HeadParams()[0]]; d != torch.Int8 {
		return d
	}
	return torch.Float32
}

// clock measures networks up to a number of parameters, or beyond a latency that is enough.
func (t *timer) clock(most, enough float64) (*clock, error) {
	points := t.space.sampled(profiled, most)
	ms, err := t.measure("", points, "networks of several sizes", fitSpan, 0, enough)
	if err != nil {
		return nil, err
	}
	return fit(points[:len(ms)], ms), nil
}

// correct finds the division that is to a latency, as it is measured, what a point is to its prediction: the predictions only say where to
// look. It aims below what is wanted, since no two measurements are alike. fastest is the least that was measured; best is nil where all
// took longer.
func (t *timer) correct(name string, p *Point, c *clock, want float64) (best *Point, fastest float64, err error) {
	f := favours[slices.IndexFunc(favours, func(f favour) bool { return f.name == p.Name })]
	least := c.of(t.space.at(t.space.least())) * 1.001
	fastest = math.Inf(1)
	var seen []pace
	for at := p.LatencyMS; len(seen) < corrections; {
		ms, err := t.measure(name, []*Point{p}, "the network that "+f.name+" finds", correctSpan, correctPause, 0)
		if err != nil {
			return nil, 0, err
		}
		got := ms[0]
		fastest = min(fastest, got)
		if off := func(ms float64) float64 { return math.Abs(math.Log(ms / (aim * want))) }; got <= want && (best == nil || off(got) < off(best.LatencyMS)) {
			found := *p
			best, found.LatencyMS = &found, got
		}
		if got >= lowest*want && got <= highest*want {
			break
		}
		seen = append(seen, pace{math.Log(at), math.Log(got)})
		next := max(least, math.Exp(nextPace(seen, math.Log(aim*want))))
		if next == at {
			break
		}
		if at, p = next, t.space.divide(f, limit{c.of, next}); p == nil {
			break
		}
	}
	return best, fastest, nil
}

// pace is what was predicted of a network and what was measured, both as logarithms.
type pace struct{ predicted, measured float64 }

// nextPace is the prediction at which the measurement should come to a goal: on the line through the two paces that lie nearest to
// the goal, on both sides of it where there are such.
func nextPace(seen []pace, goal float64) float64 {
	byNearness := slices.Clone(seen)
	sort.SliceStable(byNearness, func(i, j int) bool {
		return math.Abs(byNearness[i].measured-goal) < math.Abs(byNearness[j].measured-goal)
	})
	a, slope := byNearness[0], 0.
	for _, b := range byNearness[1:] {
		across := (b.measured-goal)*(a.measured-goal) < 0
		if s := (b.measured - a.measured) / (b.predicted - a.predicted); s > 0 && (slope == 0 || across) {
			slope = s
			if across {
				break
			}
		}
	}
	if slope == 0 {
		slope = 1
	}
	step := (goal - a.measured) / max(slope, .25) // a flat line would lead far away
	return a.predicted + min(math.Ln2*2, max(-math.Ln2*2, step))
}
