package pipeline

import "strings"

// Every key of run.toml is declared once, here: one line gives its name, where it goes and what it may be.
// The same visit reads a file and writes a configuration out (Resolved), so that the two cannot disagree.

var towers = []string{"vision", "qformer", "language"}

// adsPictures is what the built-in source draws when no limit is given: train, validation, test, ood.
var adsPictures = [4]int{12000, 400, 1000, 1000}

func (c *Config) visit(t *configTable) {
	t.integer("seed", &c.Seed, atLeast(0))
	t.integer("threads", &c.Threads, atLeast(1), atMost(1024))
	t.device("device", &c.Device)
	t.choice("precision", &c.Precision, "fp32", "bf16")
	t.text("output", &c.Output)
	t.boolean("recompute", &c.Recompute)

	c.Data.visit(t.table("data"))
	c.Importance.visit(t.table("importance"))
	c.Teacher.visit(t.table("teacher"), c)

	stages := t.tables("stage", len(c.Stages))
	for len(c.Stages) < len(stages) {
		c.Stages = append(c.Stages, DefaultStage())
	}
	for i, s := range stages {
		c.Stages[i].visit(s, i, c)
	}
	c.Eval.visit(t.table("eval"))
	c.Export.visit(t.table("export"))
	c.check(t)
}

func (d *DataConfig) visit(t *configTable) {
	t.choice("source", &d.Source, "", "ads")
	t.text("root", &d.Root)
	t.integer("size", &d.Size, atLeast(8))
	t.text("prompt", &d.Prompt)
	if d.Prompt != "" && !strings.Contains(d.Prompt, "{question}") {
		t.fault("prompt", `%q has no {question}, the place of the question`, d.Prompt)
	}
	t.integer("row_tokens", &d.RowTokens, atLeast(0))
	limits := []*int{&d.Train, &d.Validation, &d.Test, &d.OOD}
	for i, split := range []string{"train", "validation", "test", "ood"} {
		t.integer(split, limits[i], atLeast(0))
		if d.Source == "ads" && *limits[i] == 0 {
			*limits[i] = adsPictures[i]
			t.out[split] = adsPictures[i]
		}
	}
}

func (m *ImportanceConfig) visit(t *configTable) {
	t.integer("pictures", &m.Pictures, atLeast(1))
	t.integer("batch", &m.Batch, atLeast(1))
}

func (c *TeacherConfig) visit(t *configTable, run *Config) {
	t.text("checkpoint", &c.Checkpoint)
	if train := t.optional("train", c.Train != nil); train != nil {
		if c.Train == nil {
			c.Train = DefaultTrain()
		}
		c.Train.visit(train, run)
	}
}

func (c *TrainConfig) visit(t *configTable, run *Config) {
	v := t.table("vision")
	tower(v, &c.Vision.Width, &c.Vision.Layers, &c.Vision.Heads, &c.Vision.HeadSize, &c.Vision.FFN)
	v.integer("patch", &c.Vision.Patch, atLeast(1))
	q := t.table("qformer")
	tower(q, &c.QFormer.Width, &c.QFormer.Layers, &c.QFormer.Heads, &c.QFormer.HeadSize, &c.QFormer.FFN)
	q.integer("queries", &c.QFormer.Queries, atLeast(1))
	q.integer("cross_every", &c.QFormer.CrossEvery, atLeast(1))
	l := t.table("language")
	tower(l, &c.Language.Width, &c.Language.Layers, &c.Language.Heads, &c.Language.HeadSize, &c.Language.FFN)
	l.integer("positions", &c.Language.Positions, atLeast(1))

	t.integer("pretrain_steps", &c.PretrainSteps, atLeast(0))
	t.integer("steps", &c.Steps, atLeast(1))
	t.integer("refine_steps", &c.RefineSteps, atLeast(0))
	t.integer("batch", &c.Batch, atLeast(1))
	t.number("lr", &c.LR, above(0), atMost(1))
	t.number("weight_decay", &c.WeightDecay, between(0, 1))
	t.number("warmup", &c.Warmup, between(0, 1))
	t.number("clip", &c.Clip, atLeast(0))
	inherit(&c.Precision, run.Precision)
	t.choice("precision", &c.Precision, "fp32", "bf16")
	t.optionalNumber("accept", &c.Accept, between(0, 1))
}

func tower(t *configTable, width, layers, heads, headSize, ffn *int) {
	t.integer("width", width, atLeast(1))
	t.integer("layers", layers, atLeast(1))
	t.integer("heads", heads, atLeast(1))
	t.integer("head_size", headSize, atLeast(1))
	t.integer("ffn", ffn, atLeast(1))
}

func (s *StageConfig) visit(t *configTable, index int, run *Config) {
	t.name(index, "")
	t.choice("name", &s.Name, "blocks", "inner", "hidden")
	t.name(index, s.Name)
	t.choice("criterion", &s.Criterion,
		"gradient", "taylor", "taylor-vector", "taylor-sample", "magnitude", "random", "last", "cosine")
	t.choice("loss", &s.Loss, "cross-entropy", "distillation", "margin")
	s.Keep.visit(t, s.Name == "inner")
	t.integer("cuts", &s.Cuts, atLeast(1))
	t.number("alpha", &s.Alpha, between(0, 1))
	t.optionalNumber("alpha_task", &s.AlphaTask, between(0, 1))
	s.Distil.visit(t.table("distil"), run)
	s.check(t, index)
}

func (d *DistilConfig) visit(t *configTable, run *Config) {
	t.integer("steps", &d.Steps, atLeast(0))
	t.number("lr", &d.LR, above(0), atMost(1))
	t.integer("batch", &d.Batch, atLeast(1))
	t.integer("accumulate", &d.Accumulate, atLeast(1))
	t.number("kl", &d.KL, atLeast(0))
	t.number("temperature", &d.Temperature, above(0))
	t.number("pair", &d.Pair, atLeast(0))
	t.choice("pair_form", &d.PairForm, "softplus", "hinge", "huber")
	t.number("margin", &d.Margin, atLeast(0))
	t.number("ce", &d.CE, atLeast(0))
	t.choices("freeze", &d.Freeze, "vision", "qformer", "language", "embeddings")
	t.number("warmup", &d.Warmup, between(0, 1))
	t.number("weight_decay", &d.WeightDecay, between(0, 1))
	t.number("clip", &d.Clip, atLeast(0))
	inherit(&d.Precision, run.Precision)
	t.choice("precision", &d.Precision, "fp32", "bf16")
}

func (e *EvalConfig) visit(t *configTable) {
	t.integer("batch", &e.Batch, atLeast(1))
	t.integer("latency_runs", &e.LatencyRuns, atLeast(1))
	t.integer("latency_warmup", &e.LatencyWarmup, atLeast(0))
	t.integer("throughput_batch", &e.ThroughputBatch, atLeast(1))
	t.integer("max_answer_tokens", &e.MaxAnswerTokens, atLeast(1))
}

func (e *ExportConfig) visit(t *configTable) {
	t.choice("format", &e.Format, "espalier", formatTransformers)
	t.choice("dtype", &e.DType, dtypeOfTeacher, "float32", "bfloat16", "float16", "float64")
}

// inherit fills a setting that was left out with the run's own.
func inherit(p *string, from string) {
	if *p == "" {
		*p = from
	}
}
