package truth

import (
	"context"
	"fmt"
	"slices"

	"espalier/model"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

// Subsets asks for the oracle check of arXiv 2412.00143: every way to keep so many units of an axis, each cut and trained for a short while.
type Subsets struct {
	Axis        string
	Keep, Steps int
}

// Oracle is its outcome. The oracle's subset is the one whose loss just after the cut is the lowest.
type Oracle struct {
	Axis    string   `json:"axis"`
	Of      int      `json:"of"`
	Keep    int      `json:"keep"`
	Steps   int      `json:"steps"`
	Subsets []Subset `json:"subsets"` // in the order of the kept units

	// Kendall's tau between the loss just after the cut and, after training, the loss and the share of wrong answers.
	TauLoss  *float64 `json:"tau_loss,omitempty"`
	TauWrong *float64 `json:"tau_wrong,omitempty"`
	Oracle   Choice   `json:"oracle"`
	// Shares of the other subsets that are better than the oracle's after training.
	BeatLoss     float64  `json:"beat_loss"`
	BeatAccuracy float64  `json:"beat_accuracy"`
	Choices      []Choice `json:"choices"`
}

// Subset is one way to keep units, just cut and after training.
type Subset struct {
	Keep    []int   `json:"keep"`
	Cut     Quality `json:"cut"`
	Trained Quality `json:"trained"`
}

// Choice is the subset that a way to score takes, and its ranks among all, 1 for the best: by the loss just after the cut, and after training
// by loss and by accuracy.
type Choice struct {
	Way          string `json:"score"`
	Subset       int    `json:"subset"`
	RankCut      int    `json:"rank_cut"`
	RankLoss     int    `json:"rank_loss"`
	RankAccuracy int    `json:"rank_accuracy"`
}

// mostSubsets is how many are trained at most: more is a slip of the pen.
const mostSubsets = 1000

// check refuses what cannot be tried.
func (s Subsets) check(n model.Network, stages config.Stages) error {
	a := n.Store().Axis(s.Axis)
	switch {
	case a == nil || !slices.Contains(Kinds, a.Kind):
		return fault.Inputf("subsets: the network has no axis %q to cut; `go run ./cmd/model inspect` lists them", s.Axis)
	case a.Multiple() > 1:
		return fault.Inputf("subsets: %s is cut alike in %d groups, so not every subset can be kept: take an axis of blocks, heads, ffn or queries", s.Axis, a.Multiple())
	case s.Keep < 1 || s.Keep >= a.Units():
		return fault.Inputf("subsets: %s has %d units: keep 1 to %d of them", s.Axis, a.Units(), a.Units()-1)
	}
	if len(subsets(a.Units(), s.Keep, mostSubsets+1)) > mostSubsets {
		return fault.Inputf("subsets: there are more than %d ways to keep %d of the %d units of %s: take a smaller axis, or keep fewer or more", mostSubsets, s.Keep, a.Units(), s.Axis)
	}
	if d := stageOf(stages, a.Kind).Distil; d.KL == 0 && d.Pair == 0 && d.CE == 0 {
		return fault.Inputf("subsets: the stage that cuts %s learns from hidden states alone, which this training leaves out: set its distil.kl, pair or ce above 0", s.Axis)
	}
	return nil
}

// subsets lists the ways to keep k of n units in the order of the units, the first few of them at most.
func subsets(n, k, most int) (out [][]int) {
	at := make([]int, k)
	for i := range at {
		at[i] = i
	}
	for len(out) < most {
		out = append(out, slices.Clone(at))
		i := k - 1
		for ; i >= 0 && at[i] == n-k+i; i-- { // it cannot go further up
		}
		if i < 0 {
			break
		}
		at[i]++
		for j := i + 1; j < k; j++ {
			at[j] = at[j-1] + 1
		}
	}
	return out
}

// try cuts and trains each subset. All learn from the same pictures in the same order.
func (s Subsets) try(ctx context.Context, a *pipeline.Apart, teacher model.Network, pictures []int, scores *scored, events event.Events) (*Oracle, error) {
	axis := teacher.Store().Axis(s.Axis)
	o := &Oracle{Axis: s.Axis, Of: axis.Units(), Keep: s.Keep, Steps: s.Steps}
	err := torch.Run(func(*torch.Scope) error {
		asked, err := ask(a.Validation, pictures, torch.Float32)
		if err != nil {
			return err
		}
		all := subsets(axis.Units(), s.Keep, mostSubsets)
		for i, keep := range all {
			events.Emit(event.Phase{Name: "subset", Detail: fmt.Sprintf("%d of %d", i+1, len(all))})
			subset := Subset{Keep: keep}
			if err := torch.Run(func(*torch.Scope) error { return s.tryOne(ctx, a, teacher, asked, &subset, events) }); err != nil {
				return fmt.Errorf("truth: %s kept to %v: %w", s.Axis, keep, err)
			}
			o.Subsets = append(o.Subsets, subset)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o, o.judge(axis, scores)
}

// tryOne asks a subset just after the cut, trains it, and asks it again.
func (s Subsets) tryOne(ctx context.Context, a *pipeline.Apart, teacher model.Network, asked *questions, subset *Subset, events event.Events) error {
	student, err := pruning.Apply(teacher, pruning.Plan{Keep: map[string][]int{s.Axis: subset.Keep}})
	if err != nil {
		return err
	}
	defer student.Store().Free()
	if subset.Cut, err = quality(asked, student); err != nil {
		return err
	}
	if err := train(ctx, a, teacher, student, s, events); err != nil {
		return err
	}
	subset.Trained, err = quality(asked, student)
	return err
}

func quality(asked *questions, n model.Network) (Quality, error) {
	all, err := asked.of(n)
	return mean(all, nil), err
}

// judge finds the oracle's subset and those of the ways to score, and ranks them.
func (o *Oracle) judge(axis *nn.Axis, scores *scored) error {
	var cut, loss, wrong []float64
	for _, s := range o.Subsets {
		cut, loss, wrong = append(cut, s.Cut.CrossEntropy), append(loss, s.Trained.CrossEntropy), append(wrong, 1-s.Trained.Accuracy)
	}
	o.TauLoss, o.TauWrong = finite(Kendall(cut, loss)), finite(Kendall(cut, wrong))
	choice := func(way string, at int) Choice {
		return Choice{way, at, rank(cut, at), rank(loss, at), rank(wrong, at)}
	}
	o.Oracle = choice("oracle", slices.Index(cut, slices.Min(cut)))
	others := float64(len(cut) - 1) // at least one: an axis that is cut has two units
	o.BeatLoss, o.BeatAccuracy = float64(o.Oracle.RankLoss-1)/others, float64(o.Oracle.RankAccuracy-1)/others
	for _, w := range scores.ways {
		units := scores.by[w.String()][axis.Name]
		if units == nil {
			continue
		}
		keep, err := pruning.Choose(axis, units, o.Keep)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(o.Subsets, func(s Subset) bool { return slices.Equal(s.Keep, keep) })
		o.Choices = append(o.Choices, choice(w.String(), at))
	}
	return nil
}

// rank is 1 for the smallest; equals share the first of their ranks.
func rank(v []float64, at int) int {
	n := 1
	for _, x := range v {
		if x < v[at] {
			n++
		}
	}
	return n
}
