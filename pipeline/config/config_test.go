package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier/pipeline/fault"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is the shortest valid run.
const small = `output = "runs/small"
[data]
source = "ads"
[teacher.train]
[[stage]]
name = "blocks"
keep = { vision = 2 }
[[stage]]
name = "hidden"
keep = { vision = "50%", language = 32 }
[stage.distil]
steps = 8
`

func parseSmall(t *testing.T, set ...string) *Config {
	t.Helper()
	c, err := Parse("run.toml", small, set...)
	require.NoError(t, err)
	return c
}

// faultsOf gives the lines of the report on a text.
func faultsOf(t *testing.T, text string, set ...string) []string {
	t.Helper()
	_, err := Parse("run.toml", text, set...)
	require.Error(t, err)
	var input *fault.InputError
	require.ErrorAs(t, err, &input)
	return strings.Split(err.Error(), "\n")
}

func TestDefaultJob(t *testing.T) {
	c, err := Load("../../run.toml")
	require.NoError(t, err)

	assert.Equal(t, DataConfig{Source: "ads", SplitSeed: 1, Size: 48, Train: 12000, Validation: 4000, Test: 1000, OOD: 1000, OnError: "fail"}, c.Data)
	want := DefaultTrain()
	accept := .93
	want.Accept, want.Precision = &accept, "auto"
	assert.Equal(t, want, c.Teacher.Train, "the documented defaults are the default job's teacher")

	require.Len(t, c.Stages, 3)
	var steps, cuts []int
	var alphas []float64
	for _, s := range c.Stages {
		steps, cuts, alphas = append(steps, s.Distil.Steps), append(cuts, s.Cuts), append(alphas, s.Alpha)
		assert.Equal(t, 2e-3, s.Distil.LR)
		assert.Equal(t, "fp32", s.Distil.Precision)
	}
	assert.Equal(t, []int{240, 300, 1500}, steps)
	assert.Equal(t, []int{1, 1, 4}, cuts)
	assert.Equal(t, []float64{.06, .06, .005}, alphas)
	assert.Equal(t, Keep{Units: 44}, c.Stages[2].Keep.Vision.Units)
	assert.Equal(t, TowerKeep{Heads: Keep{Units: 2}, FFN: Keep{Share: .33}}, c.Stages[1].Keep.Language)
	assert.Equal(t, []string{"blocks", "inner", "hidden"}, c.Stages.Names())
}

func TestDefaultsAndInheritance(t *testing.T) {
	c, err := Parse("run.toml", "precision = \"bf16\"\n"+small)
	require.NoError(t, err)
	assert.Equal(t, 3e-5, c.Stages[1].Distil.LR)
	assert.Equal(t, "bf16", c.Stages[1].Distil.Precision, "a stage takes the run's precision")
	assert.Equal(t, "bf16", c.Teacher.Train.Precision)
	assert.Equal(t, 12000, c.Data.Train)
	assert.Nil(t, c.Stages[0].AlphaTask)
	assert.Nil(t, c.Teacher.Train.Accept)

	folder, err := Parse("run.toml", strings.Replace(small, `source = "ads"`, "root = \"digits\"\ntest = 100", 1))
	require.NoError(t, err)
	mild := filled[VaryConfig]()
	assert.Equal(t, DataConfig{Root: "digits", SplitSeed: 1, Size: 48, Test: 100, OnError: "fail", Vary: mild}, folder.Data, "a folder is taken whole, and its pictures vary")
	assert.Equal(t, "kept", mild.Outputs)
	assert.Nil(t, c.Data.Vary, "drawn pictures do not")
	asked, err := Parse("run.toml", small, "data.vary.shift=0.5")
	require.NoError(t, err)
	mild.Shift = .5
	assert.Equal(t, mild, asked.Data.Vary, "unless asked")
	loaded := strings.Replace(small, "[teacher.train]", "[teacher]\ncheckpoint = \"t\"", 1)
	_, err = Parse("run.toml", loaded, "data.vary.teacher=true")
	assert.EqualError(t, err, "-set data.vary.teacher=true: data.vary.teacher: a teacher that is loaded is not trained: leave it out, or give [teacher.train]")
}

func TestAllFaultsAtOnce(t *testing.T) {
	text := `seed = "one"
threads = 0
[data]
source = "adds"
[teacher]
checkpoint = "teacher"
[[stage]]
name = "blocks"
keep = { vision = 2 }
[[stage]]
name  = "hidden"
keep  = { vision = 44, lang = 32 }
alpha = 1.3
prune_ration = 0.5
steps = 4
[stage.distil]
lr     = "fast"
freeze = ["vison"]
`
	assert.Equal(t, []string{
		`run.toml:1: seed: must be a whole number, not the text "one"`,
		`run.toml:2: threads: 0 is not in [1, 1024]`,
		`run.toml:4: data.source: "adds" is not one of "ads", "sequences" (did you mean "ads"?)`,
		`run.toml:12: stage[1] "hidden": keep: unknown key "lang" (known here: vision, qformer, language, queries, vocabulary)`,
		`run.toml:13: stage[1] "hidden": alpha: 1.3 is not in [0, 1]`,
		`run.toml:14: stage[1] "hidden": unknown key "prune_ration" (known here: name, criterion, loss, candidates, candidate_steps, ranking, keep, cuts, alpha, alpha_task, gate, distil, retry)`,
		`run.toml:15: stage[1] "hidden": unknown key "steps" (it belongs in [stage.distil] or [stage.retry])`,
		`run.toml:17: stage[1] "hidden": distil.lr: must be a number, not the text "fast"`,
		`run.toml:18: stage[1] "hidden": distil.freeze: "vison" is not one of "vision", "qformer", "language", "embeddings" (did you mean "vision"?)`,
	}, faultsOf(t, text))
}

func TestOneFault(t *testing.T) {
	insert := func(after, line string) string { return strings.Replace(small, after, after+"\n"+line, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"one fault a key":    {strings.Replace(small, `name = "blocks"`, "name = 3", 1), `run.toml:6: stage[0]: name: must be a text, not the number 3`},
		"misspelt":           {insert(`source = "ads"`, "tset = 4"), `run.toml:4: data: unknown key "tset" (did you mean "test"?)`},
		"wrong case":         {insert(`source = "ads"`, "Size = 48"), `run.toml:4: data: unknown key "Size" (did you mean "size"?)`},
		"unknown table":      {small + "[evall]\nbatch = 3\n", `run.toml:13: unknown key "evall" (did you mean "eval"?)`},
		"whole number":       {"seed = 1.5\n" + small, `run.toml:1: seed: must be a whole number, not the number 1.5`},
		"not a number":       {insert("steps = 8", "lr = nan"), `run.toml:13: stage[1] "hidden": distil.lr: NaN is not a finite number`},
		"negative steps":     {strings.Replace(small, "steps = 8", "steps = -1", 1), `run.toml:12: stage[1] "hidden": distil.steps: -1 is not in [0, 100000000]`},
		"no learning rate":   {insert("steps = 8", "lr = 0"), `run.toml:13: stage[1] "hidden": distil.lr: 0 is not in (0, 1]`},
		"untrained teacher":  {strings.Replace(small, "[teacher.train]", "[teacher.train]\nsteps = 0", 1), `run.toml:5: teacher.train.steps: 0 is not in [1, 100000000]`},
		"device":             {"device = \"gpu\"\n" + small, `run.toml:1: device: "gpu" is not one of "auto", "cpu", "cuda", "cuda:1"`},
		"both data":          {insert(`source = "ads"`, `root = "x"`), `run.toml:4: data.root: data has both source and root: give one`},
		"no data":            {strings.Replace(small, `source = "ads"`, "", 1), `run.toml:2: data.source: there is no data: give source = "ads", or root = a data set's folder`},
		"no teacher":         {strings.Replace(small, "[teacher.train]", "", 1), `run.toml: teacher.checkpoint: there is no teacher: give checkpoint, or a table [teacher.train]`},
		"two teachers":       {strings.Replace(small, "[teacher.train]", "[teacher]\ncheckpoint = \"t\"\n[teacher.train]", 1), `run.toml:5: teacher.checkpoint: the teacher is both loaded and trained: leave out checkpoint or [teacher.train]`},
		"no name":            {strings.Replace(small, `name = "blocks"`, "", 1), `run.toml:5: stage[0]: name: missing: give one of "blocks", "inner", "hidden", "tokens"`},
		"cosine for widths":  {insert(`name = "hidden"`, `criterion = "cosine"`), `run.toml:10: stage[1] "hidden": criterion: "cosine" scores whole blocks: a stage named "hidden" needs another`},
		"nothing cut":        {strings.Replace(small, "keep = { vision = 2 }", "", 1), `run.toml:5: stage[0] "blocks": keep: nothing is cut: say what stays in at least one tower, as keep = { vision = 2 }`},
		"nothing learnt":     {insert("steps = 8", "kl = 0\npair = 0"), `run.toml:13: stage[1] "hidden": distil.kl: kl, pair, ce and hidden are all 0: the student would learn nothing; set one above 0, or steps = 0`},
		"no teacher's best":  {strings.Replace(small, "[teacher.train]", "[teacher]\ntop_k = 1\n[teacher.train]", 1), `run.toml:5: teacher.top_k: 1 would keep the right token alone, and not what the teacher thinks best: keep at least 2, or 0 for all`},
		"infinitely far":     {insert("steps = 8", "correct = 1\nkl_form = \"reverse\""), `run.toml:13: stage[1] "hidden": distil.correct: with kl_form = "reverse" a distribution of one token alone is infinitely far: set it below 1, or take another kl_form`},
		"fewer than cuts":    {insert(`name = "hidden"`, "cuts = 9"), `run.toml:13: stage[1] "hidden": distil.steps: 8 steps cannot be shared among cuts = 9`},
		"share above all":    {strings.Replace(small, `"50%"`, `"150%"`, 1), `run.toml:10: stage[1] "hidden": keep.vision: "150%" is not in (0%, 100%]`},
		"share without sign": {strings.Replace(small, `"50%"`, `"50"`, 1), `run.toml:10: stage[1] "hidden": keep.vision: "50" is neither a count nor a share: write 2, or "33%"`},
		"keep zero":          {strings.Replace(small, "vision = 2", "vision = 0", 1), `run.toml:7: stage[0] "blocks": keep.vision: 0 is not in [1, 1000000000]`},
		"bare inner count":   {strings.Replace(small, `"blocks"`, `"inner"`, 1), `run.toml:7: stage[0] "inner": keep.vision: 2 is ambiguous for an inner stage: write { heads = 2, ffn = … } or a share as "50%"`},
		"patch":              {strings.Replace(small, "[teacher.train]", "[teacher.train.vision]\npatch = 7", 1), `run.toml:5: teacher.train.vision.patch: 7 does not divide data.size = 48`},
		"importance batch":   {"importance = { pictures = 4 }\n" + small, `run.toml:1: importance.batch: 32 is more than the 4 importance.pictures`},
		"a list for a table": {"eval = [1]\n" + small, `run.toml:1: eval: must be a table, not a list`},
		"no output":          {strings.Replace(small, "runs/small", "", 1), `run.toml:1: output: it is empty: name the run's folder, as "runs/default"`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, []string{c.want}, faultsOf(t, c.text))
		})
	}
}

// KL alone has no gradient where student and teacher are the same; a later stage's student differs.
func TestDistillationLossOfUncutStudent(t *testing.T) {
	first := strings.Replace(small, `name = "blocks"`, "name = \"blocks\"\nloss = \"distillation\"\ndistil = { pair = 0 }", 1)
	lines := faultsOf(t, first)
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], `run.toml:7: stage[0] "blocks": loss: "distillation" is KL alone here`)
	assert.Contains(t, lines[0], "distil.pair")

	_, err := Parse("run.toml", strings.Replace(first, "pair = 0", "pair = 0, ce = 0.1", 1))
	assert.NoError(t, err)
	_, err = Parse("run.toml", strings.Replace(first, "loss =", "criterion = \"magnitude\"\nloss =", 1))
	assert.NoError(t, err, "magnitude takes no gradient")
	_, err = Parse("run.toml", strings.Replace(small, "steps = 8", "steps = 8\npair = 0", 1), "stage.hidden.loss=distillation")
	assert.NoError(t, err, "the second stage scores a student that has been cut")
}

func TestSyntaxErrors(t *testing.T) {
	assert.Equal(t, []string{`run.toml:2: Key 'seed' has already been defined.`}, faultsOf(t, "seed = 1\nseed = 2\n"))
	lines := faultsOf(t, "[data]\nsource = \n[stage]")
	require.Len(t, lines, 1, "a decoder's message is one line too")
	assert.True(t, strings.HasPrefix(lines[0], "run.toml:2: "), lines[0])
}

func TestLoadMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.toml")
	_, err := Load(path)
	var input *fault.InputError
	require.ErrorAs(t, err, &input)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.Contains(t, err.Error(), path)
	assert.NotContains(t, err.Error(), "\n")
}

func TestStageNamesAreNumberedWhenTheyRepeat(t *testing.T) {
	c := parseSmall(t, "stage.0.name=hidden")
	assert.Equal(t, []string{"hidden-1", "hidden-2"}, c.Stages.Names())
}

func TestCheckOnAProgramsConfig(t *testing.T) {
	c := parseSmall(t)
	require.NoError(t, c.Check())
	c.Stages[1].Distil.LR = -1
	assert.EqualError(t, c.Check(), `config: stage[1] "hidden": distil.lr: -1 is not in (0, 1]`)
}

func TestNearest(t *testing.T) {
	keys := []string{"steps", "step_size", "alpha", "alpha_task", "lr", "kl", "ce"}
	for word, want := range map[string]string{
		"setps":     "steps", // two letters swapped are one slip
		"stesp":     "steps",
		"step":      "steps",
		"aplha":     "alpha",
		"alpha_tak": "alpha_task",
		"k":         "kl",
		"ec":        "ce", // within the bound of a short word only because a swap is one slip
		"learning":  "",
		"xy":        "",
	} {
		assert.Equal(t, want, nearest(word, keys), word)
	}
	assert.Equal(t, "seed", nearest("sede", []string{"need", "seed"}), "the nearest of two, wherever it stands")
	assert.Equal(t, "seed", nearest("sede", []string{"seed", "need"}))
}
