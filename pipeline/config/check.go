package config

import (
	"fmt"
	"reflect"
	"slices"
)

// check holds the keys of a whole run against each other. What only the model can tell (a count above what there
// is, a head size that does not fit) is refused where the model is known.
func (c *Config) check(t *table) {
	if c.Output == "" {
		t.fault("output", `it is empty: name the run's folder, as "runs/default"`)
	}
	if c.Data.Prompt != "" && c.Teacher.Train != nil {
		t.fault("data.prompt", "a teacher that is trained here reads questions as they are: leave prompt out, or give teacher.checkpoint")
	}
	if c.Data.Vary != nil && c.Data.Vary.Teacher && c.Teacher.Train == nil {
		t.fault("data.vary.teacher", "a teacher that is loaded is not trained: leave it out, or give [teacher.train]")
	}
	switch m := c.Importance; {
	case m.Batch > m.Pictures:
		t.fault("importance.batch", "%d is more than the %d importance.pictures", m.Batch, m.Pictures)
	case c.Data.Train > 0 && m.Pictures > c.Data.Train:
		t.fault("importance.pictures", "%d is more than the %d pictures of data.train", m.Pictures, c.Data.Train)
	case c.Data.Stages > 0 && m.Pictures > c.Data.Stages:
		t.fault("importance.pictures", "%d is more than the %d pictures of data.stages", m.Pictures, c.Data.Stages)
	}
	switch k := c.Teacher; {
	case k.Checkpoint != "" && k.Train != nil:
		t.fault("teacher.checkpoint", "the teacher is both loaded and trained: leave out checkpoint or [teacher.train]")
	case k.Checkpoint == "" && k.Train == nil:
		t.fault("teacher.checkpoint", "there is no teacher: give checkpoint, or a table [teacher.train]")
	case k.Train != nil && k.Train.Config == "" && k.Train.Towers && c.Data.Size%max(k.Train.Vision.Patch, 1) != 0:
		t.fault("teacher.train.vision.patch", "%d does not divide data.size = %d", k.Train.Vision.Patch, c.Data.Size)
	}
	if c.Teacher.TopK == 1 {
		t.fault("teacher.top_k", "1 would keep the right token alone, and not what the teacher thinks best: keep at least 2, or 0 for all")
	}
	if len(c.Stages) == 0 {
		t.fault("stage", "there is no [[stage]]: nothing would be cut")
	}
	if v := c.Data.Vary; c.Teacher.TopK > 0 && v != nil && v.Outputs == "varied" {
		t.fault("teacher.top_k", `with data.vary.outputs = "varied" nothing of the teacher is kept: leave top_k out, or take outputs = "kept"`)
	}
	checkTargets(t, c.Targets)
	c.checkTokens(t)
	c.checkNetwork(t)
}

// checkTokens refuses what would have the teacher read the ids of a student whose vocabulary was cut.
func (c *Config) checkTokens(t *table) {
	for i := range c.Stages {
		var with string
		switch {
		case c.Stages[i].Keep.Vocabulary.Whole():
			continue
		case c.Teacher.TopK > 0:
			with = "teacher.top_k keeps tokens of the whole vocabulary"
		case c.Data.Vary != nil && c.Data.Vary.Outputs == "varied":
			with = `data.vary.outputs = "varied" has the teacher read what the student does`
		case slices.ContainsFunc(c.Stages[i:], func(s StageConfig) bool { return s.Distil.Hidden > 0 }):
			with = "distil.hidden has the teacher read what the student does"
		default:
			continue
		}
		t.doc.add(fmt.Sprintf("stage[%d].keep.vocabulary", i), fmt.Sprintf("stage[%d] %q: keep.vocabulary: %s: leave one of the two out", i, c.Stages[i].Name, with))
	}
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
	if d.Source == "sequences" && d.Sequences == nil {
		d.Sequences = filled[SequencesConfig]()
		t.table("sequences").visit(reflect.ValueOf(d.Sequences).Elem(), t.keys.key("sequences").sub)
	}
	if d.Split != "" && d.Source != "" {
		t.fault("split", "what the program draws has its splits: leave it out")
	}
	if d.Root != "" && d.Vary == nil { // mild changes; the drawn pictures vary by themselves
		d.Vary = filled[VaryConfig]()
		t.table("vary").visit(reflect.ValueOf(d.Vary).Elem(), t.keys.key("vary").sub)
	}
}

func (s *SequencesConfig) check(t *table) {
	if s.Longest < s.Shortest || s.OODLongest <= s.Longest {
		t.fault("longest", "shortest = %d, longest = %d, ood_longest = %d: longest must not be below shortest, and ood_longest must be above it", s.Shortest, s.Longest, s.OODLongest)
	}
}

func (s *StageConfig) check(t *table) {
	d := s.Distil
	s.checkScores(t)
	if s.Name == "tokens" && !s.Keep.wholeTowers() {
		t.fault("keep", `a stage "tokens" cuts queries and vocabulary alone: leave vision, qformer and language out, or give the stage another name`)
	}
	if s.Ranking == "tower" {
		if s.Name != "inner" {
			t.fault("ranking", `"tower" ranks heads and FFN units: a stage named %q cuts none`, s.Name)
		}
		if t.up.owner.(*Config).Export.Format == FormatTransformers {
			t.fault("ranking", `"tower" makes layers of unlike sizes, which transformers cannot load: leave it out, or set export.format = "espalier"`)
		}
	}
	switch {
	case len(t.up.owner.(*Config).Targets) > 0: // what stays is chosen
	case s.Keep == (Towers{}):
		t.fault("keep", "nothing is cut: say what stays in at least one tower, as keep = { vision = 2 }")
	case s.Keep.Whole() && d.Steps == 0:
		t.fault("keep", idleStage)
	}
	if d.Steps > 0 && d.KL == 0 && d.Pair == 0 && d.CE == 0 && d.Hidden == 0 {
		t.fault("distil.kl", "kl, pair, ce and hidden are all 0: the student would learn nothing; set one above 0, or steps = 0")
	}
	if d.Correct == 1 && d.KLForm == "reverse" {
		t.fault("distil.correct", `with kl_form = "reverse" a distribution of one token alone is infinitely far: set it below 1, or take another kl_form`)
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
	return !slices.ContainsFunc(TowerNames, func(tower string) bool { return !slices.Contains(freeze, tower) })
}
