package propose

import (
	"math"

	"espalier/pipeline/config"
	"espalier/pipeline/stage"
)

// large is how many parameters make a network one whose every step takes a person's time: it gets fewer of them, and nothing is tried
// beside what is done.
const large = 100_000_000

// small is how many parameters a network may have whose operations are so short that threads mostly wait for each other in them.
const small = 20_000_000

// Choose gives a configuration that fits what was found. Where the data are not open yet (Found.Set is nil), it is a draft, of which
// the data and the teacher hold.
func Choose(f Found) *config.Config {
	c := config.Default()
	c.Threads = f.Machine.Threads
	if f.Machine.GPUs == 0 && f.Machine.Threads > 1 && (f.Model == nil || f.Model.Parameters < small) {
		c.Workers = 2
	}
	c.Output = f.Output
	c.Data.Root = f.Root
	if f.Look.Whole {
		c.Data.Split = "80/10/10"
	}
	if f.Machine.GPUs > 0 && f.Model != nil && f.Model.Parameters > large { // smaller networks train faster in fp32, also on a GPU (docs/performance.md)
		c.Precision = "bf16"
	}
	pictured := f.Look.Sides != [3]int{}
	switch {
	case f.Model != nil && f.Model.Config.Towers():
		c.Data.Size = f.Model.Config.Vision.Image
	case f.Model == nil && pictured:
		c.Data.Size = sizeFor(f.Look.Sides[1])
	}
	if f.Model != nil {
		c.Teacher.Checkpoint = f.Model.Folder
		if f.Model.Plain {
			c.Export.Format = config.FormatTransformers
		}
	} else {
		c.Teacher.Train = networkFor(c.Data.Size, pictured)
		c.Teacher.Train.Precision = c.Precision
	}
	if f.Set == nil {
		return c
	}
	pictures := f.Set.Train.Len()
	batch := batchFor(pictures)
	c.Importance.Pictures = min(c.Importance.Pictures, pictures)
	c.Importance.Batch = min(c.Importance.Batch, batch)
	c.Eval.MaxAnswerTokens = f.Tokens.Measured + 1
	if t := c.Teacher.Train; t != nil {
		t.PretrainSteps, t.Steps, t.RefineSteps = steps(200, pictures), steps(400, pictures), steps(200, pictures)
		if !pictured {
			t.PretrainSteps = 0
		}
		t.Batch = batch
		t.Language.Positions = positionsFor(f.Tokens, t)
	}
	c.Targets = []config.TargetConfig{targetFor(f.Model)}
	c.Stages = stagesFor(f, batch)
	for i := range c.Stages {
		c.Stages[i].Distil.Precision = c.Precision
	}
	return c
}

// sizeFor is the side of the pictures that a network to train sees, for pictures of a usual side. What is larger is seen in less
// detail: a network that is trained on a few thousand pictures makes nothing of more patches than some sixty.
func sizeFor(side int) int {
	switch {
	case side <= 24:
		return 24
	case side <= 48:
		return 48
	case side <= 256:
		return 64
	}
	return 96
}

// networkFor is a teacher that is trained on two cores within minutes: examples/digits has one for small pictures, run.toml for
// those of the default job.
func networkFor(size int, pictured bool) *config.TrainConfig {
	t := config.DefaultTrain()
	switch {
	case !pictured:
		t.Towers, t.PretrainSteps = false, 0
		t.Language.Width, t.Language.Heads, t.Language.FFN = 96, 3, 384
	case size <= 24:
		t.Vision = config.VisionConfig{Width: 96, Layers: 4, Heads: 3, HeadSize: 32, FFN: 384, Patch: 6}
		t.QFormer = config.QFormerConfig{Width: 96, Layers: 4, Heads: 3, HeadSize: 32, FFN: 384, Queries: 8, CrossEvery: 2}
		t.Language.Width, t.Language.Heads, t.Language.FFN = 96, 3, 384
	default:
		t.Vision.Patch = 8 // 36 patches of pictures of 48, 64 of 64 and of 96
		if size > 64 {
			t.Vision.Patch = 12
		}
	}
	t.Language.Positions = 1 << 16 // of a draft, which reads texts of any length
	return t
}

// batchFor is 32 pictures a step, or so many that a training split makes four batches.
func batchFor(pictures int) int {
	batch := 32
	for batch > 1 && 4*batch > pictures {
		batch /= 2
	}
	return batch
}

// steps are more for more pictures, by their fourth root: those of examples/digits, with its 1,258 pictures, are the measure.
func steps(of, pictures int) int {
	factor := min(3, max(.75, math.Pow(float64(pictures)/1258, .25)))
	return int(math.Round(float64(of)*factor/50)) * 50
}

// positionsFor is a table of positions in which the longest question of the data has room with its answer, and a little more.
func positionsFor(n Tokens, t *config.TrainConfig) int {
	need := n.Question.Most + max(n.Answer.Most, n.Measured) + 2
	if t.Towers {
		need += t.QFormer.Queries
	}
	return (need + 7) / 8 * 8
}

// targetFor asks for less than an eighteenth, which the default job shows, so that a first run is accepted.
func targetFor(m *Model) config.TargetConfig {
	ratio, divisions := 8., 3
	if m != nil && m.Parameters > large {
		ratio, divisions = 4, 1
	}
	return config.TargetConfig{Ratio: &ratio, Divisions: divisions}
}

// stagesFor are the three stages: what each keeps is left to the target.
func stagesFor(f Found, batch int) (stages config.Stages) {
	pictures := f.Set.Train.Len()
	for _, s := range []struct {
		name   string
		alpha  float64
		steps  int
		slowly int // steps of a large network
	}{{"blocks", .06, 150, 200}, {"inner", .06, 150, 200}, {"hidden", .02, 600, 400}} {
		c := config.DefaultStage()
		c.Name, c.Alpha = s.name, s.alpha
		c.Distil.Batch, c.Distil.Steps, c.Distil.LR = batch, steps(s.steps, pictures), rateFor(f.Model)
		if f.Model == nil {
			c.Distil.WeightDecay = .01
		}
		if f.Model != nil && f.Model.Parameters > large {
			c.Distil.Steps, c.Candidates = s.slowly, &[]string{}
		}
		stages = append(stages, c)
	}
	return stages
}

// rateFor is a peak rate for the language model's width: 2e-3 for the narrow networks of the examples, 3e-5 for 2,560 channels, which
// is what the default suits, and between them by a power of the width. It is rounded to 1, 2, 3 or 5.
func rateFor(m *Model) float64 {
	const narrow, wide, narrowest, widest = 2e-3, 3e-5, 128., 2560.
	if m == nil {
		return narrow
	}
	width := min(widest, max(narrowest, float64(m.Config.Text.Hidden)))
	rate := narrow * math.Pow(width/narrowest, math.Log(wide/narrow)/math.Log(widest/narrowest))
	digit := math.Pow(10, math.Floor(math.Log10(rate)))
	best := 1.
	for _, d := range []float64{1, 2, 3, 5, 10} {
		if math.Abs(math.Log(rate/(d*digit))) < math.Abs(math.Log(rate/(best*digit))) {
			best = d
		}
	}
	rounded := best * digit
	return math.Round(rounded*1e9) / 1e9 // 3e-5, not 3.0000000000000004e-05
}

// Smaller changes a configuration that needs more than there is room for, and tells whether there was anything left to change. Where
// weights and optimizer alone are too much, parts of the network are not trained; else batches are smaller, with more of them in a step,
// and at last blocks are computed a second time.
func Smaller(c *config.Config, need stage.Memory, room int64) bool {
	if need.Total()-need.Activations > room {
		return freeze(c)
	}
	half := func(n *int) bool {
		if *n > 1 {
			*n /= 2
			return true
		}
		return false
	}
	changed := half(&c.Importance.Batch)
	changed = half(&c.Eval.Batch) || changed
	changed = half(&c.Eval.ThroughputBatch) || changed
	if c.Teacher.Train != nil {
		changed = half(&c.Teacher.Train.Batch) || changed
	}
	for i := range c.Stages {
		d := &c.Stages[i].Distil
		if half(&d.Batch) {
			d.Accumulate *= 2
			changed = true
		}
	}
	if !changed && !c.Recompute {
		c.Recompute, changed = true, true
	}
	return changed || freeze(c)
}

// freeze leaves the largest parts that the student can do without training as they are.
func freeze(c *config.Config) (changed bool) {
	for i := range c.Stages {
		if d := &c.Stages[i].Distil; len(d.Freeze) == 0 {
			d.Freeze = []string{"vision", "embeddings"}
			changed = true
		}
	}
	return changed
}
