package target

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/network"
	"espalier/torch"
	"espalier/torch/nn"
)

// profileInput is what the latencies of networks of some sizes depend on, but for the machine's mood.
type profileInput struct {
	Shape     *network.Held  // the network that is cut; its values are not read
	Sizes     []nn.Structure // of the networks that are timed
	DType     torch.DType
	Questions *corpus.Corpus
	MaxTokens int           // of an answer that the data do not give
	Span      time.Duration // of a network's measurement, about
	Pause     time.Duration // between its rounds
	Enough    float64       // milliseconds: networks behind one that takes more are left out
}

var profileStep = chain.Step[profileInput, []float64]{Name: "profile", Own: true, Compute: profile}

// The networks of the cost model are timed for a short while, and those that a target of latency finds for longer.
const (
	fitSpan        = 100 * time.Millisecond
	correctSpan    = 600 * time.Millisecond
	correctPause   = 500 * time.Millisecond // other work on the machine, which makes a network look slow, seldom lasts through all rounds
	fewestProfiled = 7                      // answers of a round
	fewestNetworks = 10                     // that a fit needs
)

// profile measures the latency of one answer, in milliseconds, of networks with random weights: it depends on their sizes alone. It is
// taken as a run takes its students' (measure.Alone). The networks answer in as many tokens as the data's answers have, since they do
// not know when to end.
func profile(ctx context.Context, w *chain.Work, in profileInput) ([]float64, error) {
	torch.SetNumThreads(1)
	defer torch.SetNumThreads(w.Environment.Threads)
	out := make([]float64, len(in.Sizes))
	for i, sizes := range in.Sizes {
		w.Events.Emit(event.Progress{Done: i + 1, Total: len(in.Sizes), Unit: "networks"})
		n, err := in.Shape.Declared().Rebuild(sizes)
		if err != nil {
			return nil, err
		}
		if err := n.Store().InitAs(1, in.DType, in.Questions.On); err != nil {
			return nil, err
		}
		out[i], err = latency(ctx, n, in)
		n.Store().Free()
		if err != nil {
			return nil, err
		}
		if in.Enough > 0 && out[i] > in.Enough && i+1 >= fewestNetworks {
			return out[:i+1], nil
		}
	}
	return out, nil
}

// latency measures a network whose vocabulary may be cut. The questions are in the teacher's ids, and others stand for those that
// it lacks: only their number matters.
func latency(ctx context.Context, n model.Network, in profileInput) (float64, error) {
	c := in.Questions
	words := config.AxesOf([]nn.Kind{nn.Vocabulary}, n)[0].Units()
	n.Config().Text.Start %= words
	pixels := make([]uint8, 3*c.Pre.Size*c.Pre.Size)
	asked := func(i int) (picture int, q model.Question, tokens int) {
		picture = i % c.Split.Len()
		q = c.Asked.Questions[picture][i%len(c.Asked.Questions[picture])]
		if tokens = min(len(q.Answer), in.MaxTokens); tokens == 0 {
			tokens = in.MaxTokens
		}
		return picture, q, tokens
	}
	answer := func(i int) (time.Duration, error) {
		p, question, tokens := asked(i)
		question.Prompt = slices.Clone(question.Prompt)
		for k := range question.Prompt {
			question.Prompt[k] %= words
		}
		if err := c.Split.Pixels(p, pixels); err != nil {
			return 0, err
		}
		start := time.Now()
		err := torch.Run(func(*torch.Scope) error {
			_, err := n.Generate(c.Pictures(pixels, 1), [][]model.Question{{question}}, model.GenerateOptions{MaxTokens: tokens})
			return err
		})
		return time.Since(start), err
	}
	first := func(from, runs int) []int {
		return measure.FirstOf(from, runs, func(i int) [3]int {
			_, q, tokens := asked(i)
			return [3]int{len(q.Prompt), len(q.Instruction), tokens}
		})
	}
	once, err := measure.Alone(ctx, measure.Rounds{Warmup: 2, First: first(2, 1), Runs: 1}, answer) // the first ones allocate
	if err != nil {
		return 0, err
	}
	runs := max(fewestProfiled, int(in.Span.Seconds()*1e3/once.P50/measure.MostRounds))
	least, err := measure.Alone(ctx, measure.Rounds{First: first(0, runs), Runs: runs, Span: in.Span, Pause: in.Pause}, answer)
	return least.P50, err
}

// clock predicts latencies: so much for an answer, for each block of a tower, and for each parameter that its tokens pass.
type clock struct{ rates []float64 }

// features are what a student's time is made of. The Q-Former's tokens are the query tokens, and they are some of the language model's.
func (p *Point) features() []float64 {
	return []float64{1, float64(p.blocks["vision"]), float64(p.blocks["qformer"]), float64(p.blocks["language"]),
		p.parts["vision"], p.queries * p.parts["qformer"], p.parts["language_blocks"], p.queries * p.parts["language_blocks"],
		p.parts["projection"] + p.parts["embeddings"]}
}

// of is the predicted latency of a student, ms.
func (c *clock) of(p *Point) float64 {
	sum := 0.
	for i, x := range p.features() {
		sum += c.rates[i] * x
	}
	return sum
}

// leastShare: each feature takes at least this share of the time of an answer. A rate of 0, which chance can give to a tower that
// takes little time, would leave that tower whole.
const leastShare = .02

// fit finds the rates that come nearest to what was measured, as shares of it: coordinate descent on the squares.
func fit(points []*Point, ms []float64) *clock {
	rows := make([][]float64, len(points))
	scale := make([]float64, len(points[0].features()))
	floor := make([]float64, len(scale))
	for i, p := range points {
		rows[i] = p.features()
		for k := range rows[i] {
			rows[i][k] /= ms[i]
			scale[k] += rows[i][k] * rows[i][k]
			floor[k] += rows[i][k] / float64(len(rows))
		}
	}
	rates := make([]float64, len(scale))
	for k, mean := range floor {
		if mean > 0 {
			floor[k] = leastShare / mean
			rates[k] = floor[k]
		}
	}
	left := make([]float64, len(rows)) // 1 − what the rates say
	for i := range left {
		left[i] = 1
		for k, x := range rows[i] {
			left[i] -= rates[k] * x
		}
	}
	for range 20000 {
		moved := 0.
		for k := range rates {
			if scale[k] == 0 {
				continue
			}
			slope := 0.
			for i := range rows {
				slope += rows[i][k] * left[i]
			}
			by := max(floor[k]-rates[k], slope/scale[k])
			rates[k] += by
			for i := range rows {
				left[i] -= by * rows[i][k]
			}
			moved = max(moved, math.Abs(by)*math.Sqrt(scale[k]))
		}
		if moved < 1e-9 {
			break
		}
	}
	return &clock{rates}
}

// sampled are divisions to measure: from the smallest up to a size, each variable drawn by itself.
func (s *space) sampled(n int, most float64) (points []*Point) {
	random := rand.New(rand.NewPCG(1, 0x70726f66)) // "prof": the same ones in each start
	for try := 0; len(points) < n && try < 50*n; try++ {
		depth := 1 - float64(len(points))/float64(n) // 1: the smallest
		units := make([]int, len(s.vars))
		for i, v := range s.vars {
			share := min(1, max(0, depth+.5*(random.Float64()-.5)))
			units[i] = v.rounded(float64(v.most) * math.Pow(float64(v.least)/float64(v.most), share))
		}
		if p := s.at(units); float64(p.Parameters) <= most || try > 25*n {
			points = append(points, p)
		}
	}
	return points
}

// structure is the sizes of a division's student.
func (s *space) structure(p *Point) (nn.Structure, error) {
	n, err := s.config(p.Units).Stages.Final(s.teacher)
	if err != nil {
		return nn.Structure{}, err
	}
	return n.Store().Structure(), nil
}
