package contest

import (
	"fmt"
	"slices"
	"strings"

	"espalier/model"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/fault"
	"espalier/pipeline/random"
	"espalier/torch/nn"
)

// Espalier is the way of this program itself.
const Espalier = "espalier"

// form is how a way goes through the run's stages.
type form int

const (
	asCut      form = iota // the run's own cuts
	oneAStage              // one cut a stage, with the stage's steps
	oneForAll              // one cut for all stages, with all steps
	notInTurns             // Espalier's
)

// way is a method of bench/peers/contest.py, and its form.
type way struct {
	method string
	form
}

var ways = map[string]way{
	Espalier:             {"", notInTurns},
	"plain":              {"plain", asCut},
	"authors":            {"authors", oneAStage},
	"torch-pruning":      {"traced", asCut},
	"torch-pruning-once": {"traced", oneForAll},
	"scratch":            {"scratch", oneForAll},
}

// Ways lists the names of the contestants.
func Ways() (names []string) {
	for name := range ways {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func unknownWay(name string) error {
	return fault.Inputf("contest: there is no contestant %q; there are %s", name, strings.Join(Ways(), ", "))
}

// job is what bench/peers/contest.py reads.
type job struct {
	Method      string     `json:"method"`
	Seed        int        `json:"seed"`
	Threads     int        `json:"threads"`
	Stages      []jobStage `json:"stages"`
	Parameters  int        `json:"parameters"` // of the student
	Batch       int        `json:"batch"`      // pictures that answer together
	SampleBatch int        `json:"sample_batch"`
	Most        int        `json:"most"` // tokens of an answer
	EOS         int        `json:"eos"`
	Tasks       []string   `json:"tasks"` // of a picture's questions, in their order
	Teacher     string     `json:"teacher,omitempty"`
	Data        string     `json:"data,omitempty"`
	Result      string     `json:"result,omitempty"`
}

type jobStage struct {
	Name      string   `json:"name"`
	Criterion string   `json:"criterion"`
	Loss      string   `json:"loss"`
	Cuts      []jobCut `json:"cuts"`
	How       how      `json:"how"`
}

// how a student is trained.
type how struct {
	LR          float64 `json:"lr"`
	Batch       int     `json:"batch"`
	WeightDecay float64 `json:"weight_decay"`
	Warmup      float64 `json:"warmup"`
	Clip        float64 `json:"clip"`
	KL          float64 `json:"kl"`
	Temperature float64 `json:"temperature"`
	Pair        float64 `json:"pair"`
	Margin      float64 `json:"margin"`
	CE          float64 `json:"ce"`
}

type jobCut struct {
	Units      map[string]map[nn.Kind]int `json:"units"`      // by tower: how many stay, inside heads of each
	Parameters int                        `json:"parameters"` // after it
	Steps      int                        `json:"steps"`
	Final      float64                    `json:"final"` // share of the rate at the end
	Order      string                     `json:"order"` // tensors of the data file
	Sample     string                     `json:"sample"`

	order, sample uint64 // their seeds
}

// The rate's shares at the end of a cut's training, as pipeline/stage has them.
const (
	finalBetweenCuts = .3
	finalOfStage     = .02
)

// newJob is a way's job beside a run.
func newJob(name string, a *pipeline.Apart) (*job, error) {
	w, cfg := ways[name], a.Config
	j := &job{Method: w.method, Seed: cfg.Seed, Threads: cfg.Threads, Batch: cfg.Eval.Batch, SampleBatch: cfg.Importance.Batch,
		Most: cfg.Eval.MaxAnswerTokens, EOS: a.Train.Words.Ends()[0]}
	for _, q := range a.Train.Split.Questions(0) {
		j.Tasks = append(j.Tasks, q.Task)
	}
	n := model.Network(a.Teacher.Declared())
	for i, s := range cfg.Stages {
		if w.form != asCut {
			s.Cuts = 1
		}
		stage := jobStage{Name: s.Name, Criterion: s.Criterion, Loss: s.Loss, How: howOf(s.Distil)}
		start := n
		for cut := 1; cut <= s.Cuts; cut++ {
			var err error
			if n, err = s.Declare(start, cut); err != nil {
				return nil, err
			}
			c := newCut(cfg.Seed, i, cut, n, s.Kinds())
			c.Steps, c.Final = s.StepsOf(cut), finalBetweenCuts
			if cut == s.Cuts {
				c.Final = finalOfStage
			}
			stage.Cuts = append(stage.Cuts, c)
		}
		j.Stages = append(j.Stages, stage)
	}
	if w.form == oneForAll {
		j.Stages = []jobStage{merged(cfg.Seed, j.Stages)}
	}
	j.Parameters = n.Store().Count()
	return j, nil
}

func newCut(seed, stage, cut int, after model.Network, kinds []nn.Kind) jobCut {
	c := jobCut{Units: map[string]map[nn.Kind]int{}, Parameters: after.Store().Count(),
		Order: fmt.Sprintf("order.%d.%d", stage, cut), Sample: fmt.Sprintf("sample.%d.%d", stage, cut),
		order: random.Stream(seed, "distil", stage, cut), sample: random.Stream(seed, "importance", stage, cut)} // as pipeline/stage draws them
	for _, a := range config.AxesOf(kinds, after) {
		if c.Units[a.Tower] == nil {
			c.Units[a.Tower] = map[nn.Kind]int{}
		}
		c.Units[a.Tower][a.Kind] = a.Each()
	}
	return c
}

// merged is one stage with one cut in place of all, trained as the last one is.
func merged(seed int, stages []jobStage) jobStage {
	out := stages[len(stages)-1]
	c := jobCut{Units: map[string]map[nn.Kind]int{}, Final: finalOfStage, Order: "order.0.1", Sample: "sample.0.1",
		order: random.Stream(seed, "distil", 0, 1), sample: random.Stream(seed, "importance", 0, 1)}
	for _, s := range stages {
		for _, one := range s.Cuts {
			c.Steps += one.Steps
			c.Parameters = one.Parameters
			for tower, kinds := range one.Units {
				if c.Units[tower] == nil {
					c.Units[tower] = map[nn.Kind]int{}
				}
				for kind, n := range kinds {
					c.Units[tower][kind] = n
				}
			}
		}
	}
	out.Name, out.Cuts = "all", []jobCut{c}
	return out
}

func howOf(d config.DistilConfig) how {
	return how{LR: d.LR, Batch: d.Batch, WeightDecay: d.WeightDecay, Warmup: d.Warmup, Clip: d.Clip, KL: d.KL, Temperature: d.Temperature, Pair: d.Pair,
		Margin: d.Margin, CE: d.CE}
}

// checkEqualTerms refuses what the programs in Python do not do, and what would give Espalier more than the others have.
func checkEqualTerms(cfg *config.Config) error {
	var faults []string
	refuse := func(is bool, format string, args ...any) {
		if is {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	refuse(cfg.Data.Source != "ads", `data.source: the contestants read the drawn advertisements alone: set it to "ads"`)
	refuse(cfg.Data.Vary != nil && cfg.Data.Vary.Strength > 0, "data.vary: the contestants do not change their pictures: leave it out")
	refuse(cfg.Data.Stages > 0, "data.stages: the contestants see all training pictures: leave it out")
	refuse(len(cfg.Targets) > 0, "target: the contestants have the sizes that keep says: give each stage a keep")
	refuse(cfg.Export.Format != "espalier", `export.format: leave it at "espalier"`)
	for i, s := range cfg.Stages {
		key := cfg.Stages.Key(i)
		refuse(s.Candidates == nil || len(*s.Candidates) > 0, "%s.candidates: ways to score that are tried take steps that the others do not have: set it to []", key)
		refuse(s.Alpha < 1, "%s.alpha: a stage that tries again takes steps that the others do not have: set it to 1", key)
		refuse(s.Ranking != "layer", `%s.ranking: set it to "layer"`, key)
		refuse(s.Loss == "distillation", `%s.loss: set it to "cross-entropy" or "margin"`, key)
		refuse(!slices.Contains([]string{"gradient", "taylor", "taylor-vector", "taylor-sample", "last"}, s.Criterion) || s.Criterion == "taylor-sample" && s.Name != "blocks",
			"%s.criterion: the plain version knows gradient, taylor and taylor-vector, and for blocks taylor-sample and last", key)
		refuse(!s.Keep.Queries.Whole() || !s.Keep.Vocabulary.Whole(), "%s.keep: the contestants cut no query tokens and no vocabulary: leave them out", key)
		d := s.Distil
		refuse(d.Accumulate > 1 || d.KLForm != "forward" || d.PairForm != "softplus" || d.Correct > 0 || d.Hidden > 0 || len(d.Freeze) > 0 || d.Average > 0 || d.Precision != "fp32",
			"%s.distil: the contestants know lr, batch, weight_decay, warmup, clip, kl, temperature, pair, margin and ce: leave the rest at its default, and precision at fp32", key)
	}
	return fault.List(faults)
}
