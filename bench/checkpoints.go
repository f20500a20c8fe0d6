package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	measurement "espalier/pipeline/measure"
	"espalier/pipeline/report"
	"espalier/torch"
)

// Checkpoint is a network's size and speed.
type Checkpoint struct {
	Folder     string            `json:"folder"`
	Parameters int64             `json:"parameters"`
	Bytes      int64             `json:"bytes"`
	LatencyMS  report.Latency    `json:"latency_ms"` // as in a run's report, up to the answer's token ids
	Throughput report.Throughput `json:"throughput"`
}

// CheckpointError says that a checkpoint cannot be measured.
type CheckpointError struct{ error }

func (e *CheckpointError) Unwrap() error { return e.error }

const (
	latencyRuns     = 300
	latencyWarmup   = 20
	latencyTurn     = 20              // answers of one network before the next one's
	latencyRounds   = 5               // at most
	latencySpan     = 2 * time.Second // of a network; no round begins later
	throughputBatch = 64              // pictures, each with its five questions
	throughputTurns = 5
	throughputTurn  = 250 * time.Millisecond // a turn lasts at least as long: what the other networks left in the caches is a matter of its first batch
	promptTokens    = 6                      // of a vocabulary that has not the words of the questions
)

// Checkpoints measures folders of checkpoints in turns, so that what else happens on the machine meets all of them. They
// answer the questions of the built-in advertisements, drawn at each network's size.
func Checkpoints(ctx context.Context, folders []string, o Options, events func(Event)) ([]Checkpoint, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	torch.SetNumThreads(1) // of an operation; throughput has a worker for each thread
	subjects, err := openSubjects(folders, o.Device)
	defer freeSubjects(subjects)
	if err != nil {
		return nil, err
	}
	span := latencySpan * time.Duration(len(subjects))
	for begun, round := time.Now(), 0; round <= 1 || round <= latencyRounds && time.Since(begun) < span; round++ {
		runs := latencyRuns
		if round == 0 {
			runs = latencyWarmup
		}
		for at := 0; at < runs; at += latencyTurn {
			for _, s := range subjects {
				if err := s.answerAlone(ctx, at); err != nil {
					return nil, err
				}
			}
		}
		for _, s := range subjects {
			s.endRound(round == 0)
		}
	}
	events(Note{"latency is measured"})
	for range throughputTurns + 1 {
		for _, s := range subjects {
			if err := s.answerTogether(ctx, o.Threads); err != nil {
				return nil, err
			}
		}
	}
	var out []Checkpoint
	for _, s := range subjects {
		out = append(out, s.result())
	}
	return out, nil
}

// subject is a network under measurement and what it is asked.
type subject struct {
	on      torch.Device
	folder  string
	net     *model.Blip2
	pre     model.Preprocessor
	pixels  []uint8
	prompts [][][]int
	ends    []int
	alone   []float64      // ms of a round's single answers
	latency report.Latency // of the quietest round
	rates   []float64      // answers a second of each turn; the best counts, as in a run (measure.Rate)
}

func openSubjects(folders []string, on torch.Device) (subjects []*subject, err error) {
	for _, folder := range folders {
		s, err := openSubject(folder, on)
		if err != nil {
			return subjects, &CheckpointError{err}
		}
		subjects = append(subjects, s)
	}
	return subjects, nil
}

func freeSubjects(subjects []*subject) {
	for _, s := range subjects {
		s.net.Store().Free()
	}
}

func openSubject(folder string, on torch.Device) (*subject, error) {
	net, err := model.Load(folder, on)
	if err != nil {
		return nil, err
	}
	s := &subject{on: on, folder: folder, net: net, ends: net.Config().Text.Ends}
	if err := s.draw(); err != nil {
		net.Store().Free()
		return nil, err
	}
	return s, nil
}

// draw makes the pictures and the questions.
func (s *subject) draw() (err error) {
	c := s.net.Config()
	drawn := 48 // of a network that sees no pictures
	if c.Towers() {
		if s.pre, err = model.LoadPreprocessorFor(s.folder, c); errors.Is(err, os.ErrNotExist) {
			s.pre, err = model.AdsPreprocessor(c.Vision.Image), nil
		}
		if err != nil {
			return err
		}
		drawn = s.pre.Size
	}
	set, err := data.Open(data.Config{Source: "ads", Size: drawn, Train: 1, Validation: 1, Test: throughputBatch, OOD: 1})
	if err != nil {
		return err
	}
	encode := encoder(s.folder, c.Text.Vocabulary)
	size := 3 * drawn * drawn
	s.pixels = make([]uint8, throughputBatch*size)
	for p := range throughputBatch {
		if err := set.Test.Pixels(p, s.pixels[p*size:(p+1)*size]); err != nil {
			return err
		}
		var prompts [][]int
		for _, q := range set.Test.Questions(p) {
			prompts = append(prompts, encode(q.Text))
		}
		s.prompts = append(s.prompts, prompts)
	}
	return nil
}

// encoder turns questions into token ids: with the checkpoint's own words where it has them, else into some of its ids.
func encoder(folder string, vocabulary int) func(question string) []int {
	words, err := tokenizer.LoadWordLevel(filepath.Join(folder, "tokenizer.json"))
	return func(question string) []int {
		if err == nil {
			if ids, err := words.Encode(question); err == nil {
				return ids
			}
		}
		ids := make([]int, promptTokens)
		for i := range ids {
			ids[i] = (i + 2) % vocabulary
		}
		return ids
	}
}

// pictures are those of a range, as the network reads them.
func (s *subject) pictures(from, to int) *torch.Tensor {
	if !s.net.Config().Towers() {
		return model.NoPictures(to-from, s.on)
	}
	size := 3 * s.pre.Size * s.pre.Size
	return s.pre.Pictures(s.pixels[from*size:to*size], s.on)
}

// generate answers the prompts of a range of pictures.
func (s *subject) generate(from, to int, prompts [][][]int) error {
	return torch.Run(func(*torch.Scope) error {
		_, err := s.net.Generate(s.pictures(from, to), model.Prompts(prompts),
			model.GenerateOptions{MaxTokens: mostTokens, Ends: s.ends})
		return err
	})
}

// batch is the first picture with one question, whose answer is the question's own last token.
func (s *subject) batch() (*model.Batch, error) {
	asked := s.prompts[0][0]
	q := model.Question{Prompt: asked, Answer: asked[len(asked)-1:]}
	if s.net.Config().Instruct() {
		q.Instruction = asked
	}
	return s.net.Form().Pack(s.pictures(0, 1), [][]model.Question{{q}}, s.on)
}

func (s *subject) answerAlone(ctx context.Context, at int) error {
	for i := at; i < at+latencyTurn; i++ {
		p := i % throughputBatch
		start := time.Now()
		if err := errors.Join(ctx.Err(), s.generate(p, p+1, [][][]int{{s.prompts[p][i%len(s.prompts[p])]}})); err != nil {
			return err
		}
		s.alone = append(s.alone, time.Since(start).Seconds()*1e3)
	}
	return nil
}

// endRound keeps the latency of the round with the least median, as a run does (measure.Alone).
func (s *subject) endRound(warmup bool) {
	slices.Sort(s.alone)
	if p50 := quantile(s.alone, .5); !warmup && (s.latency.P50 == 0 || p50 < s.latency.P50) {
		s.latency = report.Latency{P50: p50, P99: quantile(s.alone, .99), Batch: 1}
	}
	s.alone = s.alone[:0]
}

// asked is how many questions all pictures have.
func (s *subject) asked() (n int) {
	for _, p := range s.prompts {
		n += len(p)
	}
	return n
}

// answerTogether is a network's turn: it answers all questions of all pictures, again and again. The first turn warms up.
func (s *subject) answerTogether(ctx context.Context, workers int) error {
	rate, err := measurement.Round(ctx, throughputTurn, func() error { return s.answerBatch(ctx, workers) })
	s.rates = append(s.rates, rate*float64(s.asked())) // of batches, and of answers
	return err
}

// answerBatch answers all questions of all pictures, shared among workers on the CPU, as a run does.
func (s *subject) answerBatch(ctx context.Context, workers int) error {
	if s.on != torch.CPU {
		workers = 1
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		from, to := i*throughputBatch/workers, (i+1)*throughputBatch/workers
		group.Go(func() (err error) {
			defer fault.Caught(&err)
			return errors.Join(ctx.Err(), s.generate(from, to, s.prompts[from:to]))
		})
	}
	return group.Wait()
}

func (s *subject) result() Checkpoint {
	return Checkpoint{
		Folder: s.folder, Parameters: int64(s.net.Store().Count()), Bytes: int64(s.net.Store().Bytes()),
		LatencyMS:  s.latency,
		Throughput: report.Throughput{AnswersPerS: slices.Max(s.rates[1:]), Batch: throughputBatch},
	}
}
