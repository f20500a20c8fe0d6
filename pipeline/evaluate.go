package pipeline

import (
	"context"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/pipeline/report"
	"espalier/torch"
)

// marks are a network's answers to a split, right or wrong: [picture][question].
type marks [][]bool

// mark answers every question of a split greedily and compares with the accepted answers.
func (r *run) mark(ctx context.Context, n model.Network, c *corpus) (marks, error) {
	return r.listen(ctx, n, c, func(_, _ int, _ []int) {})
}

// listen is mark; heard gets the ids of each answer, by picture and question.
func (r *run) listen(ctx context.Context, n model.Network, c *corpus, heard func(p, j int, ids []int)) (marks, error) {
	out := make(marks, c.split.Len())
	err := c.each(ctx, r.cfg.Eval.Batch, func(b *data.Batch) error {
		answers, err := c.answers(n, b, r.cfg.Eval.MaxAnswerTokens)
		if err != nil {
			return err
		}
		for i, p := range b.Index {
			for j, q := range c.split.Questions(p) {
				heard(p, j, answers[i][j])
				out[p] = append(out[p], data.Correct(c.words.Answers.Decode(answers[i][j]), q.Answers))
			}
		}
		r.events.Emit(c.progress(b))
		return ctx.Err()
	})
	return out, err
}

// accuracy sums marks up by task, over all categories and for each.
func (m marks) accuracy(split *data.Split) (all report.Accuracy, byCategory map[string]report.Accuracy) {
	type tally struct{ right, asked float64 }
	sums := map[string]map[string]*tally{}
	count := func(category, task string, right bool) {
		if sums[category] == nil {
			sums[category] = map[string]*tally{}
		}
		t := sums[category][task]
		if t == nil {
			t = &tally{}
			sums[category][task] = t
		}
		t.asked++
		if right {
			t.right++
		}
	}
	for p, answers := range m {
		for j, q := range split.Questions(p) {
			for _, task := range taskKeys(q.Task) {
				count("", task, answers[j])
				if q.Category != "" {
					count(q.Category, task, answers[j])
				}
			}
		}
	}
	byCategory = map[string]report.Accuracy{}
	for category, tasks := range sums {
		a := report.Accuracy{}
		for task, t := range tasks {
			a[task] = t.right / t.asked
		}
		if category == "" {
			all = a
		} else {
			byCategory[category] = a
		}
	}
	return all, byCategory
}

func taskKeys(task string) []string {
	if task == "" || task == report.Overall {
		return []string{report.Overall}
	}
	return []string{report.Overall, task}
}

// answersOf pairs the marks of teacher and student for the gate.
func answersOf(split *data.Split, teacher, student marks) []report.Answer {
	var out []report.Answer
	for p := range teacher {
		for j, q := range split.Questions(p) {
			out = append(out, report.Answer{Picture: split.Picture(p), Task: q.Task, Teacher: teacher[p][j], Student: student[p][j]})
		}
	}
	return out
}

// measure gives a network's sizes and accuracies on the test and ood splits, and, unless it was just cut, latency and
// throughput.
func (r *run) measure(ctx context.Context, n model.Network, stage string, when When) (report.Model, error) {
	m := sizes(n)
	begin := func(what string) {
		r.events.Emit(Phase{Stage: stage, Name: "measure", Detail: strings.TrimSpace(string(when) + " " + what)})
	}
	begin("on test")
	test, err := r.mark(ctx, n, r.test)
	if err != nil {
		return m, err
	}
	m.Accuracy, m.AccuracyByCategory = test.accuracy(r.test.split)
	if r.ood != nil {
		begin("on ood")
		ood, err := r.mark(ctx, n, r.ood)
		if err != nil {
			return m, err
		}
		m.OOD, _ = ood.accuracy(r.ood.split)
	}
	if when == Pruned {
		return m, nil
	}
	begin("speed")
	if m.LatencyMS, err = r.latency(n); err != nil {
		return m, err
	}
	m.Throughput, err = r.throughput(n)
	return m, err
}

func sizes(n model.Network) report.Model {
	s := n.Store()
	parts := s.CountByPart()
	return report.Model{
		Parameters: int64(s.Count()), Bytes: int64(s.Bytes()),
		ParametersByPart: report.Parts{
			Vision: int64(parts["vision"]), QFormer: int64(parts["qformer"]), Projection: int64(parts["projection"]),
			LanguageBlocks: int64(parts["language_blocks"]), Embeddings: int64(parts["embeddings"]),
		},
	}
}

// latency times one answer to one question at a time on one thread, from bytes in memory to text.
func (r *run) latency(n model.Network) (report.Latency, error) {
	torch.SetNumThreads(1)
	defer torch.SetNumThreads(r.cfg.Threads)
	c := r.test
	size := c.pre.Size
	pixels := make([]uint8, 3*size*size)
	times := make([]float64, 0, r.cfg.Eval.LatencyRuns)
	for i := range r.cfg.Eval.LatencyWarmup + r.cfg.Eval.LatencyRuns {
		p := i % c.split.Len()
		questions := c.split.Questions(p)
		q := questions[(i/c.split.Len()+i)%len(questions)]
		if err := c.split.Pixels(p, pixels); err != nil {
			return report.Latency{}, err
		}
		start := time.Now()
		if _, err := r.answer(n, pixels, q.Text); err != nil {
			return report.Latency{}, err
		}
		if i >= r.cfg.Eval.LatencyWarmup {
			times = append(times, time.Since(start).Seconds()*1e3)
		}
	}
	return report.Latency{P50: percentile(times, .5), P99: percentile(times, .99), Batch: 1}, nil
}

// answer is the whole way from a picture's bytes and a question to the answer's text.
func (r *run) answer(n model.Network, pixels []uint8, question string) (text string, err error) {
	err = torch.Run(func(*torch.Scope) error {
		q, err := r.words.Question(question)
		if err != nil {
			return err
		}
		ids, err := n.Generate(r.test.pre.Pictures(pixels, r.device), [][]model.Question{{q}},
			model.GenerateOptions{MaxTokens: r.cfg.Eval.MaxAnswerTokens, Ends: r.words.Ends()})
		if err != nil {
			return err
		}
		text = r.words.Answers.Decode(ids[0][0])
		return nil
	})
	return text, err
}

// percentile is the smallest value that at least the given share of values do not exceed.
func percentile(values []float64, share float64) float64 {
	sorted := slices.Clone(values)
	sort.Float64s(sorted)
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
func (r *run) throughput(n model.Network) (report.Throughput, error) {
	c := r.test
	pictures := min(r.cfg.Eval.ThroughputBatch, c.split.Pictures())
	workers := 1
	if !r.device.IsCUDA() {
		workers = min(r.cfg.Threads, pictures)
		torch.SetNumThreads(1)
		defer torch.SetNumThreads(r.cfg.Threads)
	}
	shares, asked, err := c.shares(pictures, workers)
	if err != nil {
		return report.Throughput{}, err
	}
	var rates []float64
	more := func(spent time.Duration) bool {
		return len(rates) == 0 || len(rates) < fewestRepeats && spent < longestSpan || len(rates) < mostRepeats && spent < throughputSpan
	}
	for begun, warm := time.Now(), false; more(time.Since(begun)); {
		start := time.Now()
		var group errgroup.Group
		for _, share := range shares {
			group.Go(func() error {
				_, err := c.answers(n, share, r.cfg.Eval.MaxAnswerTokens)
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
