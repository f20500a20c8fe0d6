package stage

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/random"
	"espalier/pipeline/teacher"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

// scoreInput is all that the scores depend on.
type scoreInput struct {
	Network   *network.Held
	Kinds     []nn.Kind // of axis, which are scored
	Criterion string
	Loss      string
	Distil    *distillation.Loss // of the loss "distillation", else nil
	Outputs   *teacher.Outputs   // likewise
	Train     *corpus.Corpus
	Pictures  int
	Batch     int
	Recompute bool
	Order     uint64 // seed of which pictures
	Random    uint64 // seed of random scores
}

var scoreStep = chain.Step[scoreInput, pruning.Scores]{Name: "score", Compute: score}

// score scores the units that the stage cuts, but for tokens, which the data count.
func (s *one) score(ctx context.Context, c *chain.Chain, at chain.Place, by config.Candidate, cut int, student *network.Held) (chain.Kept[pruning.Scores], error) {
	kinds := s.cfg.Scored()
	if len(kinds) == 0 {
		return chain.Kept[pruning.Scores]{}, nil
	}
	in := scoreInput{Network: student, Kinds: kinds, Criterion: by.Criterion, Loss: by.Loss, Train: s.Train,
		Pictures: s.Config.Importance.Pictures, Batch: s.Config.Importance.Batch, Recompute: s.Config.Recompute,
		Order:  random.Stream(s.Config.Seed, "importance", s.index, cut),
		Random: random.Stream(s.Config.Seed, "random scores", s.index, cut)}
	if in.Loss == "distillation" {
		loss := LossOf(s.cfg.Distil)
		in.Distil, in.Outputs = &loss, s.Outputs
	}
	return chain.Do(ctx, c, at, scoreStep, in)
}

func score(ctx context.Context, w *chain.Work, in scoreInput) (scores pruning.Scores, err error) {
	n, err := in.Network.Get()
	if err != nil {
		return nil, err
	}
	var outputs *distillation.Outputs
	if in.Outputs != nil {
		if outputs, err = in.Outputs.Open(); err != nil {
			return nil, err
		}
		defer outputs.Close()
	}
	part := chain.Resume[pruning.Sums](w, "scores")
	s := sample(ctx, w, in, outputs)
	s.From, s.Each = part.Value, func(sums pruning.Sums) { part.Add(sums.Batches, sums) }
	compute := func() { scores, err = pruning.Importance(n, in.Criterion, config.AxesOf(in.Kinds, n), s) }
	if in.Recompute {
		torch.Recompute(compute)
	} else {
		compute()
	}
	if err != nil {
		part.Keep()
	}
	return scores, err
}

// sample is the training pictures that scores are measured on, and the loss by its name.
func sample(ctx context.Context, w *chain.Work, in scoreInput, outputs *distillation.Outputs) pruning.Sample {
	c := in.Train
	size := min(in.Batch, c.Split.Len())
	order := data.Order(c.Split.Len(), in.Order, 0)
	batches := max(1, min(in.Pictures, len(order))/size)
	pictures := func(i int) []int { return order[i*size : (i+1)*size] }
	return pruning.Sample{
		Batches: batches,
		Batch: func(i int) (*model.Batch, error) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			w.Events.Emit(event.Progress{Done: i + 1, Total: batches, Unit: "batches"})
			return c.Read(pictures(i))
		},
		Loss: func(i int, b *model.Batch, logits *torch.Tensor) *torch.Tensor {
			switch in.Loss {
			case "margin":
				return distillation.Margin(logits, b.Targets)
			case "distillation":
				return in.Distil.Of(logits, outputs.Teacher(pictures(i), c.On), b.Targets, c.Asked.Labelled(pictures(i), c.On))
			}
			return distillation.CrossEntropy(logits, b.Targets)
		},
		Seed:   in.Random,
		Pieces: w.Pieces("scores", size),
	}
}

// histogramsOf are those of the scores of a network's units, of all layers of a tower together.
func histogramsOf(n model.Network, scores pruning.Scores) map[string]event.Histogram {
	values, out := map[string][]float64{}, map[string]event.Histogram{}
	for _, a := range n.Store().Axes() {
		if of := scores[a.Name]; len(of) > 0 {
			group := a.Tower + " " + string(a.Kind)
			values[group] = append(values[group], of...)
		}
	}
	for group, of := range values {
		out[group] = event.HistogramOf(of)
	}
	return out
}

// plan chooses the units that stay after a cut.
func (s *one) plan(n model.Network, scores pruning.Scores, cut int) (plan pruning.Plan, err error) {
	plan.Keep = map[string][]int{}
	together := map[string][]*nn.Axis{} // ranked as one
	for _, a := range config.AxesOf(s.cfg.Kinds(), n) {
		if s.cfg.Ranking == "tower" && (a.Kind == nn.Heads || a.Kind == nn.FFN) {
			key := a.Tower + string(a.Kind)
			together[key] = append(together[key], a)
			continue
		}
		if a.Kind == nn.Vocabulary {
			if plan.Keep[a.Name], err = tokensOf(s, n, a, cut); err != nil {
				return plan, err
			}
			continue
		}
		units := min(a.Each(), s.cfg.UnitsAfter(a, s.starts[a.Name], cut)) * (a.Units() / a.Each())
		if plan.Keep[a.Name], err = choose(s.Config, n, a, scores[a.Name], units); err != nil {
			return plan, err
		}
	}
	for _, axes := range together {
		total := 0
		for _, a := range axes {
			total += s.cfg.UnitsAfter(a, s.starts[a.Name], cut)
		}
		kept, err := pruning.ChooseTogether(axes, scores, total, config.MultipleOf(axes[0]))
		if err != nil {
			return plan, err
		}
		maps.Copy(plan.Keep, kept)
	}
	return plan, nil
}

// choose picks the units that stay; under export to transformers the Q-Former's layers must follow the frequency of its
// cross-attention.
func choose(c *config.Config, n model.Network, a *nn.Axis, scores []float64, units int) ([]int, error) {
	if c.Export.Format == config.FormatTransformers && a.Kind == nn.Blocks && a.Tower == "qformer" {
		return pruning.ChoosePattern(a, scores, units, n.Config().QFormer.CrossEvery)
	}
	return pruning.Choose(a, scores, units)
}

// verifyPictures is how many validation pictures, with all their questions, prove a cut.
const verifyPictures = 8

// cutInput is all that a cut depends on; the validation pictures prove it.
type cutInput struct {
	Network    *network.Held
	Keep       map[string][]int
	Validation *corpus.Corpus // as the network that is left reads
	Pictures   int            // of the proof, with all their questions
}

// proved is a cut whose proof was made.
type proved struct {
	Parameters int64
	Diff       float64 // of the sliced network from the masked one, as a share of the largest logit
}

var cutStep = chain.Step[cutInput, proved]{Name: "cut", Compute: cutAndProve}

// slice makes and proves the cut. Its network is not kept: it is made again from the plan in no time.
func (s *one) slice(ctx context.Context, c *chain.Chain, at chain.Place, student *network.Held, plan pruning.Plan) (chain.Kept[proved], *network.Held, error) {
	declared, err := pruning.Declare(student.Declared(), plan)
	if err == nil && vocabularyOf(student.Declared(), plan.Keep) != nil {
		err = readAs(s, declared, true)
	}
	if err != nil {
		return chain.Kept[proved]{}, nil, err
	}
	in := cutInput{Network: student, Keep: plan.Keep, Validation: s.Splits.Validation, Pictures: min(verifyPictures, s.Splits.Validation.Split.Len())}
	at.Phase = event.Phase{} // it is over in no time, and the score's phase tells of it
	made, err := chain.Do(ctx, c, at, cutStep, in)
	if err != nil {
		return made, nil, err
	}
	n, fresh := made.Live.(model.Network) // nil where the result was found
	if fresh {
		student.Free() // it is the largest thing in memory, and training needs more than all before
		torch.TrimMemory()
	}
	return made, network.New(chain.Of([]any{student.Print(), plan.Keep}), declared, n, func() (model.Network, error) {
		before, err := student.Take()
		if err != nil {
			return nil, err
		}
		defer torch.TrimMemory()
		return pruning.ApplyFreeing(before, plan)
	}).After(student, plan.Keep), nil
}

func cutAndProve(_ context.Context, w *chain.Work, in cutInput) (p proved, err error) {
	before, err := in.Network.Get()
	if err != nil {
		return p, err
	}
	plan := pruning.Plan{Keep: in.Keep}
	after, err := pruning.Apply(before, plan)
	if err != nil {
		return p, err
	}
	w.Hold(after, after.Store().Free)
	pictures := make([]int, in.Pictures)
	for i := range pictures {
		pictures[i] = i
	}
	p.Parameters = int64(after.Store().Count())
	p.Diff, err = pruning.Verify(before, after, plan, func() (*model.Batch, error) {
		b, err := in.Validation.Read(pictures)
		if tokens := vocabularyOf(before, in.Keep); tokens != nil && err == nil {
			return b.MapIDs(numbered(tokens)) // as the network before reads
		}
		return b, err
	})
	return p, err
}

// leftText says what a plan left, tower by tower, for a line on the terminal: the layers of a tower are cut alike.
func leftText(plan pruning.Plan, after model.Network) string {
	var towers []string
	widths := map[string]string{}
	seen := map[string]bool{}
	for _, a := range after.Store().Axes() {
		key := fmt.Sprint(a.Tower, a.Kind)
		if plan.Keep[a.Name] == nil || seen[key] {
			continue
		}
		seen[key] = true
		if widths[a.Tower] == "" {
			towers = append(towers, a.Tower)
		}
		if a.Kind == nn.KeySize {
			continue // as many as of values
		}
		switch a.Kind {
		case nn.Heads, nn.FFN, nn.Queries, nn.Vocabulary:
			widths[a.Tower] += " " + string(a.Kind)
		case nn.ValueSize:
			widths[a.Tower] += " of"
		}
		widths[a.Tower] += fmt.Sprintf(" %d", a.Each())
	}
	for i, t := range towers {
		towers[i] = t + widths[t]
	}
	return strings.Join(towers, ", ")
}
