package config

import "slices"

// check holds the keys of a whole run against each other. What only the model can tell (a count above what there
// is, a head size that does not fit) is refused where the model is known.
func (c *Config) check(t *table) {
	if c.Output == "" {
		t.fault("output", `it is empty: name the run's folder, as "runs/default"`)
	}
	if c.Data.Prompt != "" && c.Teacher.Train != nil {
		t.fault("data.prompt", "a teacher that is trained here reads questions as they are: leave prompt out, or give teacher.checkpoint")
	}
	switch m := c.Importance; {
	case m.Batch > m.Pictures:
		t.fault("importance.batch", "%d is more than the %d importance.pictures", m.Batch, m.Pictures)
	case c.Data.Train > 0 && m.Pictures > c.Data.Train:
		t.fault("importance.pictures", "%d is more than the %d pictures of data.train", m.Pictures, c.Data.Train)
	}
	switch k := c.Teacher; {
	case k.Checkpoint != "" && k.Train != nil:
		t.fault("teacher.checkpoint", "the teacher is both loaded and trained: leave out checkpoint or [teacher.train]")
	case k.Checkpoint == "" && k.Train == nil:
		t.fault("teacher.checkpoint", "there is no teacher: give checkpoint, or a table [teacher.train]")
	case k.Train != nil && c.Data.Size%max(k.Train.Vision.Patch, 1) != 0:
		t.fault("teacher.train.vision.patch", "%d does not divide data.size = %d", k.Train.Vision.Patch, c.Data.Size)
	}
	if len(c.Stages) == 0 {
		t.fault("stage", "there is no [[stage]]: nothing would be cut")
	}
	c.checkNetwork(t)
}

// ScoredByGradient are the criteria that take the gradient of the stage's loss.
var ScoredByGradient = []string{"gradient", "taylor", "taylor-vector", "taylor-sample"}

func (d *DataConfig) check(t *table) {
	switch {
	case d.Source != "" && d.Root != "":
		t.fault("root", "data has both source and root: give one")
	case d.Source == "" && d.Root == "":
		t.fault("source", `there is no data: give source = "ads", or root = a data set's folder`)
	}
}

func (s *StageConfig) check(t *table) {
	d := s.Distil
	if slices.Contains([]string{"last", "cosine"}, s.Criterion) {
		if s.Name != "blocks" && s.Name != "" {
			t.fault("criterion", `%q scores whole blocks: a stage named %q needs another`, s.Criterion, s.Name)
		} else if !s.Keep.Queries.Whole() {
			t.fault("criterion", `%q scores whole blocks: keep.queries needs another, or a stage "tokens" of its own`, s.Criterion)
		}
	}
	if s.Name == "tokens" && !s.Keep.wholeTowers() {
		t.fault("keep", `a stage "tokens" cuts queries and vocabulary alone: leave vision, qformer and language out, or give the stage another name`)
	}
	switch {
	case s.Keep == (Towers{}):
		t.fault("keep", "nothing is cut: say what stays in at least one tower, as keep = { vision = 2 }")
	case s.Keep.Whole() && d.Steps == 0:
		t.fault("keep", idleStage)
	}
	// The first stage scores the teacher itself, whose KL from the teacher is zero wherever one looks.
	if t.index == 0 && s.Loss == "distillation" && d.Pair == 0 && d.CE == 0 && slices.Contains(ScoredByGradient, s.Criterion) {
		t.fault("loss", `"distillation" is KL alone here, and an uncut student's KL has no gradient: `+
			`set distil.pair or distil.ce above 0, or loss = "cross-entropy"`)
	}
	if d.Steps > 0 && d.KL == 0 && d.Pair == 0 && d.CE == 0 {
		t.fault("distil.kl", "kl, pair and ce are all 0: the student would learn nothing; set one above 0, or steps = 0")
	}
	if d.Steps > 0 && allFrozen(d.Freeze) {
		t.fault("distil.freeze", "every tower is frozen: the student would learn nothing; leave one out, or set steps = 0")
	}
	if d.Steps > 0 && d.Steps < s.Cuts {
		t.fault("distil.steps", "%d steps cannot be shared among cuts = %d", d.Steps, s.Cuts)
	}
}

// idleStage is said of a stage that keeps all units and takes no steps.
const idleStage = "all of the network is kept and distil.steps is 0: the stage does nothing; keep less, set distil.steps, or leave the stage out"

// allFrozen tells whether a list of what is not trained leaves nothing: the towers are all of a network.
func allFrozen(freeze []string) bool {
	return !slices.ContainsFunc(towers, func(tower string) bool { return !slices.Contains(freeze, tower) })
}
