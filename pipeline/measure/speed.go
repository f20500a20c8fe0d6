package measure

import (
	"context"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
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
		s.Throughput, err = throughput(ctx, n, in, max(1, in.Batch/pieces), w.Environment.Threads)
		return err
	})
	return s, err
}

// latency times one answer to one question at a time on one thread, from bytes in memory to text.
func latency(ctx context.Context, n model.Network, in speedInput) (report.Latency, error) {
	torch.SetNumThreads(1)
	c := in.Questions
	pixels := make([]uint8, 3*c.Pre.Size*c.Pre.Size)
	times := make([]float64, 0, in.Runs)
	for i := range in.Warmup + in.Runs {
		if ctx.Err() != nil {
			return report.Latency{}, context.Cause(ctx)
		}
		p := i % c.Split.Len()
		questions := c.Split.Questions(p)
		q := questions[(i/c.Split.Len()+i)%len(questions)]
		if err := c.Split.Pixels(p, pixels); err != nil {
			return report.Latency{}, err
		}
		start := time.Now()
		if _, err := c.Answer(n, pixels, q.Text, in.MaxTokens); err != nil {
			return report.Latency{}, err
		}
		if i >= in.Warmup {
			times = append(times, time.Since(start).Seconds()*1e3)
		}
	}
	return report.Latency{P50: percentile(times, .5), P99: percentile(times, .99), Batch: 1}, nil
}

// percentile is the smallest value that at least the given share of values do not exceed.
func percentile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// The batch is answered many times for the median, within a span: a small network answers it in about ten milliseconds, and
// of a few of them a moment of other work on the machine would be all that is seen.
const (
	fewestRepeats  = 7
	mostRepeats    = 50
	throughputSpan = 2 * time.Second
	longestSpan    = 30 * time.Second // of a network that takes seconds for a batch
)

// throughput times pictures with all their questions, answered together with the run's threads: on the CPU each thread
// answers a share of the pictures by itself, since threads that share one small operation mostly wait for each other.
func throughput(ctx context.Context, n model.Network, in speedInput, pictures, threads int) (report.Throughput, error) {
	c := in.Questions
	pictures = min(pictures, c.Split.Parts().Pictures())
	workers := 1
	if !c.On.IsCUDA() {
		workers = min(threads, pictures)
		torch.SetNumThreads(1)
	}
	shares, asked, err := data.Shares(c.Split, pictures, workers)
	if err != nil {
		return report.Throughput{}, err
	}
	var rates []float64
	more := func(spent time.Duration) bool {
		return len(rates) == 0 || len(rates) < fewestRepeats && spent < longestSpan || len(rates) < mostRepeats && spent < throughputSpan
	}
	for begun, warm := time.Now(), false; more(time.Since(begun)); {
		if ctx.Err() != nil {
			return report.Throughput{}, context.Cause(ctx)
		}
		start := time.Now()
		var group errgroup.Group
		for _, share := range shares {
			group.Go(func() (err error) {
				defer fault.Caught(&err)
				_, err = c.Answers(n, nil, share, in.MaxTokens)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return report.Throughput{}, err
		}
		if warm {
			rates = append(rates, float64(asked)/time.Since(start).Seconds())
		}
		warm = true
	}
	return report.Throughput{AnswersPerS: percentile(rates, .5), Batch: pictures}, nil
}
