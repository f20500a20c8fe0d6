package measure

import (
	"context"
	"strings"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
)

// Splits are those that networks are measured on.
type Splits struct {
	Validation, Test *corpus.Corpus
	OOD              *corpus.Corpus // nil: there is none
}

// Subject is a network to measure, and how its work is named: At within the chain ("blocks/pruned"), the other two on the
// terminal.
type Subject struct {
	Network   *network.Held
	Stage, At string
	When      event.When

	Validation *Marks // its marks on the validation split, for the threshold of its confidence; nil: without one
	Teacher    *Marks // the teacher's on the test split, which its answers are compared with; nil: with nobody's
}

// Measured are a network's figures, and the marks on the test split behind them. Seconds are what all of it took when it was
// computed; Kept says that nothing of it was computed now.
type Measured struct {
	report.Model
	Test    Marks
	Seconds float64
	Kept    bool
	Weights map[string]event.Histogram // by part
}

func (s Subject) place(at, what string) chain.Place {
	return chain.Place{At: s.At + " " + at, Phase: event.Phase{Stage: s.Stage, Name: "measure", Detail: strings.TrimSpace(string(s.When) + " " + what)}}
}

// MarksOf are the network's marks on a split; what is the split for the terminal.
func MarksOf(ctx context.Context, c *chain.Chain, s Subject, on *corpus.Corpus, eval config.EvalConfig, what string) (chain.Kept[Marks], error) {
	return MarksOfSome(ctx, c, s, on, nil, eval, what)
}

// MarksOfSome is MarksOf on some pictures of the split; nil is all.
func MarksOfSome(ctx context.Context, c *chain.Chain, s Subject, on *corpus.Corpus, some []int, eval config.EvalConfig, what string) (chain.Kept[Marks], error) {
	return chain.Do(ctx, c, s.place("on "+on.Split.Name, what), markStep,
		markInput{Network: s.Network, Questions: on, Some: some, Batch: eval.Batch, MaxTokens: eval.MaxAnswerTokens})
}

// Of gives a network's sizes, its accuracies on the test and ood splits and what single answers to the test split are worth, and, unless
// it was just cut, latency and throughput.
func Of(ctx context.Context, c *chain.Chain, s Subject, on Splits, eval config.EvalConfig) (m Measured, err error) {
	size, err := chain.Do(ctx, c, chain.Place{At: s.At + " sizes"}, sizeStep, sizeInput{s.Network})
	if err != nil {
		return m, err
	}
	test, err := MarksOf(ctx, c, s, on.Test, eval, "on test")
	if err != nil {
		return m, err
	}
	m = Measured{Model: size.Value.Model, Weights: size.Value.Weights, Test: test.Value, Seconds: size.Seconds + test.Seconds, Kept: size.Reused && test.Reused}
	m.Accuracy, m.AccuracyByCategory = m.Test.Accuracy(on.Test.Split)
	m.AccuracyByLength, m.Confidence = m.Test.byLength(on.Test), confidenceOf(s.Validation, m.Test)
	if s.Teacher != nil {
		m.Flips, m.FlipsByCategory = flips(on.Test.Split, *s.Teacher, m.Test)
	}
	m.Positions = m.Test.Positions()
	if m.Metrics, err = m.Test.metrics(on.Test.Split, eval.Metrics); err != nil {
		return m, err
	}
	if on.OOD != nil {
		ood, err := MarksOf(ctx, c, s, on.OOD, eval, "on ood")
		if err != nil {
			return m, err
		}
		m.OOD, _ = ood.Value.Accuracy(on.OOD.Split)
		m.OODPositions = ood.Value.Positions()
		m.Seconds, m.Kept = m.Seconds+ood.Seconds, m.Kept && ood.Reused
	}
	if s.When == event.Pruned {
		return m, nil
	}
	fast, err := chain.Do(ctx, c, s.place("speed", "speed"), speedStep, speedInput{Network: s.Network, Questions: on.Test, Runs: eval.LatencyRuns,
		Warmup: eval.LatencyWarmup, Batch: eval.ThroughputBatch, MaxTokens: eval.MaxAnswerTokens})
	m.LatencyMS, m.Throughput = fast.Value.Latency, fast.Value.Throughput
	m.Seconds, m.Kept = m.Seconds+fast.Seconds, m.Kept && fast.Reused
	return m, err
}

type sizeInput struct{ Network *network.Held }

// sized is what a network is, whatever it answers.
type sized struct {
	Model   report.Model // with its sizes alone
	Weights map[string]event.Histogram
}

var sizeStep = chain.Step[sizeInput, sized]{Name: "sizes", Compute: sizes}

// sizes needs the network in memory: its bytes depend on the dtypes.
func sizes(_ context.Context, _ *chain.Work, in sizeInput) (s sized, err error) {
	n, err := in.Network.Get()
	if err != nil {
		return s, err
	}
	if s.Weights, err = weightsOf(n); err != nil {
		return s, err
	}
	parts := n.Store().CountByPart()
	s.Model = report.Model{
		Parameters: int64(n.Store().Count()), Bytes: int64(n.Store().Bytes()),
		ParametersByPart: report.Parts{
			Vision: int64(parts["vision"]), QFormer: int64(parts["qformer"]), Projection: int64(parts["projection"]),
			LanguageBlocks: int64(parts["language_blocks"]), Embeddings: int64(parts["embeddings"]),
		},
	}
	return s, nil
}
