package pipeline

import (
	"fmt"
	"path/filepath"
	"runtime"

	"espalier/torch/textfile"
)

// Config is a whole run, as run.toml states it. Each field's key, default and bounds stand in
// config_keys.go; the rules between keys in config_check.go. Relative paths are taken from the working
// directory, as a shell would.
type Config struct {
	Seed      int
	Threads   int    // threads of the computation; they are part of the result, since sums are split among them
	Device    string // "auto", "cpu", "cuda" or "cuda:N"
	Precision string // "fp32" or "bf16": what training and distillation use unless they say otherwise
	Output    string // the run's folder
	Recompute bool   // scores and distillation keep each block's inputs alone and compute it again in backward: less memory, more time

	Data       DataConfig
	Importance ImportanceConfig
	Teacher    TeacherConfig
	Stages     []StageConfig // [[stage]], in the order they are run
	Eval       EvalConfig
	Export     ExportConfig
}

// DataConfig names the pictures and questions: either a built-in source or the folder of a data set.
type DataConfig struct {
	Source string // "ads", or empty
	Root   string // an image-folder data set, or empty
	Size   int    // side of the square picture that the model sees, pixels
	Prompt string // what a question becomes, as "Question: {question} Answer:"; empty is the question alone

	// RowTokens is the most tokens that the language model reads for one picture in a batch, query tokens included: the
	// questions of a picture that need more are divided. 0 chooses for each split.
	RowTokens int

	// Pictures taken of each split; 0 takes all there are. The built-in source, which can draw any number,
	// has defaults in place of 0.
	Train, Validation, Test, OOD int
}

// ImportanceConfig says what the scores are measured on.
type ImportanceConfig struct {
	Pictures int // training pictures
	Batch    int // pictures in one gradient; a score is the mean over the batches
}

// TeacherConfig has exactly one of its fields set.
type TeacherConfig struct {
	Checkpoint string       // a folder or file to load
	Train      *TrainConfig // train one on the spot
}

// TrainConfig is a teacher trained from scratch: its architecture and its training.
type TrainConfig struct {
	Vision   VisionConfig
	QFormer  QFormerConfig
	Language LanguageConfig

	PretrainSteps int // first steps: throw-away heads on the vision tower and the Q-Former, no language model
	Steps         int // joint steps
	RefineSteps   int // more joint steps, with a fresh cosine
	Batch         int // pictures a step, each with all its questions
	LR            float64
	WeightDecay   float64
	Warmup        float64 // share of the steps
	Clip          float64 // greatest norm of the gradient; 0 does not clip
	Precision     string
	Accept        *float64 // the run stops when the teacher's validation accuracy is below; nil takes any
}

// VisionConfig is the vision tower; the hidden width is free of heads × head size.
type VisionConfig struct{ Width, Layers, Heads, HeadSize, FFN, Patch int }

// QFormerConfig is the Q-Former; layers 0, CrossEvery, 2·CrossEvery … have cross-attention.
type QFormerConfig struct{ Width, Layers, Heads, HeadSize, FFN, Queries, CrossEvery int }

// LanguageConfig is the language model; Positions bounds query tokens + question + answer.
type LanguageConfig struct{ Width, Layers, Heads, HeadSize, FFN, Positions int }

// StageConfig is one stage: what is cut, how it is chosen, how the student recovers, what it may lose.
type StageConfig struct {
	Name      string // "blocks", "inner" or "hidden": the axes that are cut
	Criterion string // how a unit is scored
	Loss      string // the loss whose gradient the score is made of
	Keep      Towers
	Cuts      int      // the cut is made in this many steps, each followed by its share of the distillation
	Alpha     float64  // accuracy that the student may lose against the teacher, as a fraction
	AlphaTask *float64 // the same for each task alone; nil reports tasks without gating them
	Distil    DistilConfig
}

// DistilConfig is the recovery of a stage. Steps are those of the whole stage, shared among its cuts.
type DistilConfig struct {
	Steps       int
	LR          float64
	Batch       int // pictures in one forward pass, each with all its questions
	Accumulate  int // batches whose gradients make one step
	KL          float64
	Temperature float64
	Pair        float64
	PairForm    string // "softplus", "hinge" or "huber"
	Margin      float64
	CE          float64
	Freeze      []string // what is not trained: "vision", "qformer", "language", or of the last its "embeddings" (tables, head, final norm)
	Warmup      float64
	WeightDecay float64
	Clip        float64
	Precision   string
}

// EvalConfig says how a model is measured.
type EvalConfig struct {
	Batch           int // pictures that answer together when accuracy is measured
	LatencyRuns     int
	LatencyWarmup   int
	ThroughputBatch int // pictures, each with all its questions
	MaxAnswerTokens int // end-of-sequence included
}

// ExportConfig says what the student is written as.
type ExportConfig struct {
	Format string
	DType  string // of the student's weights: "teacher" (as the teacher holds them), "float32", "bfloat16", "float16", "float64"
}

// Load reads a run's configuration. Each override is "key=value", as -set gives it: dotted keys, a stage by
// its index or its name (stage.hidden.distil.steps=400). Every fault of the file and of the overrides is
// reported at once, one a line, in an InputError.
func Load(path string, set ...string) (*Config, error) {
	text, err := textfile.Read(path)
	if err != nil {
		return nil, &InputError{fmt.Errorf("config: %w: name a run's TOML file with -c", err)}
	}
	return Parse(filepath.Base(path), string(text), set...)
}

// Parse is Load on a text; name is what faults call it.
func Parse(name, text string, set ...string) (*Config, error) {
	doc, root := parseDocument(name, text)
	if err := doc.err(); err != nil {
		return nil, err
	}
	for _, s := range set {
		doc.override(root, s)
	}
	c := Default()
	c.visit(doc.table(root))
	if err := doc.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Check finds what is wrong in a Config that was made or changed by a program.
func (c *Config) Check() error {
	doc := newDocument("config")
	c.clone().visit(doc.table(nil))
	return doc.err()
}

// Default is the configuration of an empty run.toml. It is not yet valid: data, teacher and stages have no default.
func Default() *Config {
	return &Config{
		Seed: 1, Threads: runtime.NumCPU(), Device: "auto", Precision: "fp32", Output: "runs/default",
		Data:       DataConfig{Size: 48},
		Importance: ImportanceConfig{Pictures: 256, Batch: 32},
		Eval:       EvalConfig{Batch: 64, LatencyRuns: 300, LatencyWarmup: 20, ThroughputBatch: 64, MaxAnswerTokens: 8},
		Export:     ExportConfig{Format: "espalier", DType: dtypeOfTeacher},
	}
}

// DefaultTrain is the teacher of an empty [teacher.train]: 3.04 million parameters over the 85 words of "ads".
func DefaultTrain() *TrainConfig {
	return &TrainConfig{
		Vision:        VisionConfig{Width: 160, Layers: 4, Heads: 5, HeadSize: 32, FFN: 640, Patch: 8},
		QFormer:       QFormerConfig{Width: 128, Layers: 4, Heads: 4, HeadSize: 32, FFN: 512, Queries: 16, CrossEvery: 2},
		Language:      LanguageConfig{Width: 128, Layers: 4, Heads: 4, HeadSize: 32, FFN: 512, Positions: 40},
		PretrainSteps: 300, Steps: 600, RefineSteps: 400,
		Batch: 32, LR: 1e-3, WeightDecay: .05, Warmup: .05, Clip: 1,
	}
}

// DefaultStage is a [[stage]] without keys; its learning rate suits large pre-trained models.
func DefaultStage() StageConfig {
	return StageConfig{
		Criterion: "gradient", Loss: "cross-entropy", Cuts: 1, Alpha: .01,
		Distil: DistilConfig{
			LR: 3e-5, Batch: 32, Accumulate: 1, KL: 1, Temperature: 1, Pair: 1, PairForm: "softplus",
			Warmup: .05, WeightDecay: .05, Clip: 1,
		},
	}
}

// StageNames gives each stage a name of its own, for its folder: hidden-1 and hidden-2 when two stages are "hidden".
func (c *Config) StageNames() []string {
	total, seen := map[string]int{}, map[string]int{}
	for _, s := range c.Stages {
		total[s.Name]++
	}
	names := make([]string, len(c.Stages))
	for i, s := range c.Stages {
		names[i] = s.Name
		if total[s.Name] > 1 {
			seen[s.Name]++
			names[i] = fmt.Sprintf("%s-%d", s.Name, seen[s.Name])
		}
	}
	return names
}
