package measure

import (
	"context"
	"math"
	"slices"
	"time"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
	"espalier/torch"
)

// speedInput is all that latency and throughput depend on, but for the machine's mood.
type speedInput struct {
	Network   *network.Held
	Questions *corpus.Corpus
	Runs      int // answers that are timed one by one
	Warmup    int // answers before these
	Batch     int // pictures that are answered together for the throughput
	MaxTokens int
}

// speed is how fast a network answers.
type speed struct {
	Latency    report.Latency
	Throughput report.Throughput
}

var speedStep = chain.Step[speedInput, speed]{Name: "speed", Own: true, Compute: measureSpeed}

func measureSpeed(ctx context.Context, w *chain.Work, in speedInput) (s speed, err error) {
	n, err := in.Network.Get()
	if err != nil {
		return s, err
	}
	defer torch.SetNumThreads(w.Environment.Threads)
	if s.Latency, err = latency(ctx, n, in); err != nil {
		return s, err
	}
	torch.SetNumThreads(w.Environment.Threads)
	err = w.Pieces("answers at once", in.Batch).Do(0, func(pieces int) (err error) { // the report says how many pictures they were
		s.Throughput, err = throughput(ctx, n, in, max(1, in.Batch/pieces))
		return err
	})
	return s, err
}

// latency times one answer to one question at a time on one thread, from bytes in memory to text.
func latency(ctx context.Context, n model.Network, in speedInput) (report.Latency, error) {
	torch.SetNumThreads(1)
	c := in.Questions
	pixels := make([]uint8, 3*c.Pre.Size*c.Pre.Size)
	asked := func(i int) (picture, question int) {
		picture = i % c.Split.Len()
		return picture, (i/c.Split.Len() + i) % len(c.Split.Questions(picture))
	}
	first := FirstOf(in.Warmup, in.Runs, func(i int) [2]int {
		p, q := asked(i)
		question := c.Asked.Questions[p][q]
		return [2]int{len(question.Prompt), len(question.Instruction)}
	})
	return Alone(ctx, Rounds{Warmup: in.Warmup, First: first, Runs: in.Runs, Span: LatencySpan}, func(i int) (time.Duration, error) {
		p, q := asked(i)
		if err := c.Split.Pixels(p, pixels); err != nil {
			return 0, err
		}
		start := time.Now()
		_, err := c.Answer(n, pixels, c.Split.Questions(p)[q].Text, in.MaxTokens)
		return time.Since(start), err
	})
}

// Rounds is how answers are timed: some that do not count, then the same ones in each round.
type Rounds struct {
	Warmup int
	First  []int         // of the round's, asked once more before it
	Runs   int           // answers of a round
	Span   time.Duration // no round begins after it but the first
	Pause  time.Duration // before each round but the first; the span does not count it
}

// MostRounds is in how many rounds answers are timed at most.
const MostRounds = 5

// LatencySpan: no round of a measured network's latency begins later than this.
const LatencySpan = 2 * time.Second

// Alone times single answers in rounds. It gives the round with the least median: other work on the machine, which can last for longer than
// a round of a small network, only adds to a latency.
func Alone(ctx context.Context, r Rounds, answer func(i int) (time.Duration, error)) (least report.Latency, err error) {
	times := make([]float64, 0, r.Runs)
	ask := func(i int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		took, err := answer(i)
		times = append(times, took.Seconds()*1e3)
		return err
	}
	for i := range r.Warmup {
		if err := ask(i); err != nil {
			return least, err
		}
	}
	for _, i := range r.First {
		if err := ask(i); err != nil {
			return least, err
		}
	}
	spent := time.Duration(0)
	for round := 0; round == 0 || round < MostRounds && spent < r.Span; round++ {
		if round > 0 && r.Pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(r.Pause):
			}
		}
		begun := time.Now()
		times = times[:0]
		for i := range r.Runs {
			if err := ask(r.Warmup + i); err != nil {
				return least, err
			}
		}
		if p50 := percentile(times, .5); round == 0 || p50 < least.P50 {
			least = report.Latency{P50: p50, P99: percentile(times, .99), Batch: 1}
		}
		spent += time.Since(begun)
	}
	return least, nil
}

// FirstOf are the answers of a round, so many from one on, that are the first of their kind. Their networks' programs are recorded when they are
// asked, which is no answer's time.
func FirstOf[K comparable](from, count int, kind func(i int) K) (first []int) {
	seen := map[K]bool{}
	for i := from; i < from+count; i++ {
		if k := kind(i); !seen[k] {
			seen[k] = true
			first = append(first, i)
		}
	}
	return first
}

// percentile is the smallest value that at least the given share of values do not exceed.
func percentile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// throughputSpan: no round but the first begins later, of a network that takes seconds for a batch.
const throughputSpan = 30 * time.Second

// ThroughputRound is how long a round of a throughput's measurement lasts at least. A small network answers the batch in about ten milliseconds, of which a
// moment of other work on the machine would be all that is seen: so it answers many times in a round. A run that asks for few single answers gets short
// rounds too.
func ThroughputRound(latencyRuns int) time.Duration {
	return time.Duration(min(latencyRuns, 300)) * time.Millisecond / 3
}

// together answers a split's first pictures with all their questions at once.
type together struct {
	n         model.Network
	c         *corpus.Corpus
	maxTokens int
	batch     *data.Batch
	asked     int // questions
}

func newTogether(n model.Network, c *corpus.Corpus, maxTokens, pictures int) (t together, err error) {
	t = together{n: n, c: c, maxTokens: maxTokens}
	t.batch, t.asked, err = data.First(c.Split, pictures)
	return t, err
}

func (t together) answer() error {
	_, err := t.c.Answers(t.n, nil, t.batch, t.maxTokens)
	return err
}

// throughput times pictures with all their questions, answered together.
func throughput(ctx context.Context, n model.Network, in speedInput, pictures int) (report.Throughput, error) {
	pictures = min(pictures, in.Questions.Split.Parts().Pictures())
	all, err := newTogether(n, in.Questions, in.MaxTokens, pictures)
	if err != nil {
		return report.Throughput{}, err
	}
	batches, err := Rate(ctx, ThroughputRound(in.Runs), throughputSpan, all.answer)
	return report.Throughput{AnswersPerS: batches * float64(all.asked), Batch: pictures}, err
}

// Rate is how many times a second something can be done: that of the quickest of MostRounds rounds, after once that does not count. Other work on the
// machine only takes from a rate, as it only adds to a latency (Alone). A round lasts at least as long as given; none but the first begins when the
// span is over.
func Rate(ctx context.Context, least, span time.Duration, do func() error) (most float64, err error) {
	if err := do(); err != nil {
		return 0, err
	}
	begun := time.Now()
	for round := 0; round == 0 || round < MostRounds && time.Since(begun) < span; round++ {
		rate, err := Round(ctx, least, do)
		if err != nil {
			return 0, err
		}
		most = max(most, rate)
	}
	return most, nil
}

// Round is how many times a second something is done within a round that lasts at least so long.
func Round(ctx context.Context, least time.Duration, do func() error) (rate float64, err error) {
	start, times := time.Now(), 0
	for times == 0 || time.Since(start) < least {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err := do(); err != nil {
			return 0, err
		}
		times++
	}
	return float64(times) / time.Since(start).Seconds(), nil
}
