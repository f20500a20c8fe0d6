package gates

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
)

// job is a small run with one stage; its teacher, which all plants of a seed share, learns the drawn advertisements in part.
const job = `
threads = 1
[data]
source = "ads"
train = 2000
validation = 400
test = 500
ood = 1
[importance]
pictures = 64
[teacher.train]
vision   = { width = 64, layers = 2, heads = 4, head_size = 16, ffn = 192, patch = 8 }
qformer  = { width = 48, layers = 2, heads = 3, head_size = 16, ffn = 144, queries = 8, cross_every = 2 }
language = { width = 48, layers = 2, heads = 3, head_size = 16, ffn = 144, positions = 40 }
pretrain_steps = 100
steps = 400
refine_steps = 0
batch = 16
lr = 2e-3
[[stage]]
name = "hidden"
criterion = "gradient"
keep = { vision = "50%", qformer = "50%", language = "50%" }
alpha = 0.02
[stage.distil]
steps = 100
lr = 2e-3
weight_decay = 0.01
[eval]
latency_runs = 3
throughput_batch = 8
latency_warmup = 1
max_answer_tokens = 4
`

// Plants are ways to spoil the stage, as settings of keys.
var Plants = []struct {
	Name string
	Set  []string
}{
	{"a cut too deep", []string{"stage.hidden.keep={ vision = 8, qformer = 8, language = 8 }"}},
	{"a rate too high", []string{"stage.hidden.distil.lr=0.1"}},
	{"shuffled importance", []string{"stage.hidden.criterion=random", `stage.hidden.keep={ vision = "33%", qformer = "33%", language = "33%" }`}},
}

// Planted is what became of a run with a spoilt stage. Drops are on the test split.
type Planted struct {
	Plant           string
	Seed, Steps     int
	First           report.Verdict // of the stage as it was spoilt
	Accepted        bool
	By              string // the try that was accepted
	Verdict         report.Verdict
	Alpha, TestDrop float64 // of the last try
}

// Plant makes the i-th run in a folder, where its results are kept; others in the folder share what they can.
func Plant(ctx context.Context, folder string, i int) (Planted, error) {
	plant := Plants[i%len(Plants)]
	p := Planted{Plant: plant.Name, Seed: 1 + i/15, Steps: 100 + i}
	set := append([]string{"output=" + filepath.Join(folder, fmt.Sprint("run-", i)), "store=" + filepath.Join(folder, "store"),
		fmt.Sprint("seed=", p.Seed), fmt.Sprint("stage.hidden.distil.steps=", p.Steps)}, plant.Set...)
	cfg, err := config.Parse("planted.toml", job, set...)
	if err != nil {
		return p, err
	}
	r, err := pipeline.Run(ctx, cfg, pipeline.Options{})
	if refused := (*stage.GateError)(nil); err != nil && !errors.As(err, &refused) {
		return p, err
	}
	s := r.Stages[0]
	p.First, p.Verdict, p.Accepted, p.Alpha = s.Gate.Verdict, s.Gate.Verdict, s.Accepted, s.Gate.Alpha
	p.TestDrop = r.Teacher.Accuracy[report.Overall] - s.Distilled.Accuracy[report.Overall]
	if n := len(s.Tried); n > 0 {
		p.First = s.Tried[0].Gate.Verdict
		if p.Accepted {
			p.By = s.Tried[n-1].What
		}
	}
	return p, nil
}
