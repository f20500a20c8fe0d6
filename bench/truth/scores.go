package truth

import (
	"context"
	"fmt"
	"slices"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/random"
	"espalier/pipeline/stage"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

// scored are the scores of a network's units by each way.
type scored struct {
	ways     []config.Candidate
	by       map[string]pruning.Scores // of each way
	pictures int
}

// scoresOf scores the units of a network in all ways, on the training pictures on which a run's first stage does: so they are its scores.
func scoresOf(ctx context.Context, a *pipeline.Apart, n model.Network, events event.Events) (*scored, error) {
	distil := stage.LossOf(a.Config.Stages[0].Distil)
	batch := min(a.Config.Importance.Batch, a.Train.Split.Len())
	order := data.Order(a.Train.Split.Len(), random.Stream(a.Config.Seed, "importance", 0, 1), 0)
	s := &scored{ways: ways(distil), by: map[string]pruning.Scores{}}
	sample := pruning.Sample{
		Batches: max(1, min(a.Config.Importance.Pictures, len(order))/batch),
		Batch: func(i int) (*model.Batch, error) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return a.Train.Read(order[i*batch : (i+1)*batch])
		},
		Seed: random.Stream(a.Config.Seed, "random scores", 0, 1),
	}
	s.pictures = sample.Batches * batch
	for i, w := range s.ways {
		events.Emit(event.Phase{Name: "score", Detail: fmt.Sprintf("%s, %d of %d", w, i+1, len(s.ways))})
		sample.Loss = func(i int, b *model.Batch, logits *torch.Tensor) *torch.Tensor {
			switch w.Loss {
			case "margin":
				return distillation.Margin(logits, b.Targets)
			case "distillation": // the teacher's own KL is zero: what is left are the parts that look at the labels
				pictures := order[i*batch : (i+1)*batch]
				return distil.Of(logits, distillation.Logits(logits.Detach()), b.Targets, a.Train.Asked.Labelled(pictures, a.Train.On))
			}
			return distillation.CrossEntropy(logits, b.Targets)
		}
		found, err := pruning.Importance(n, w.Criterion, config.AxesOf(scoredBy(w.Criterion), n), sample)
		if err != nil {
			return nil, err
		}
		s.by[w.String()] = found
	}
	return s, nil
}

// ways are all criteria with the losses that make sense: a distillation loss without labels has no gradient in the teacher.
func ways(distil distillation.Loss) (out []config.Candidate) {
	losses := []string{"cross-entropy", "margin"}
	if distil.Pair != 0 || distil.CE != 0 {
		losses = append(losses, "distillation")
	}
	for _, criterion := range pruning.Criteria() {
		if !slices.Contains(config.ScoredByGradient, criterion) {
			out = append(out, config.Candidate{Criterion: criterion})
			continue
		}
		for _, loss := range losses {
			out = append(out, config.Candidate{Criterion: criterion, Loss: loss})
		}
	}
	return out
}

// scoredBy are the kinds that a criterion scores.
func scoredBy(criterion string) []nn.Kind {
	switch {
	case slices.Contains(config.BlocksOnly, criterion):
		return []nn.Kind{nn.Blocks}
	case criterion == "activation": // query tokens have none of their own
		return slices.DeleteFunc(slices.Clone(Kinds), func(k nn.Kind) bool { return k == nn.Queries })
	}
	return Kinds
}

// of are a unit's scores by each way that scores it.
func (s *scored) of(axis string, unit int) map[string]float64 {
	out := map[string]float64{}
	for way, scores := range s.by {
		if units := scores[axis]; units != nil {
			out[way] = units[unit]
		}
	}
	return out
}
