package contest

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/experiment"
	"espalier/pipeline/random"
	"espalier/pipeline/report"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// cell is a cell of bench/peers.toml, with few pictures and drawn weights for a teacher.
func cell(t *testing.T, set ...string) *config.Config {
	t.Helper()
	all := []string{"threads=1", "data.train=40", "data.validation=2", "data.test=3", "data.ood=2", "importance.pictures=10", "importance.batch=4",
		"stage.blocks.alpha=1", "stage.inner.alpha=1", "stage.hidden.alpha=1", "output=" + filepath.Join(t.TempDir(), "cell")}
	cfg, err := config.Load("../../run.toml", append(all, set...)...)
	require.NoError(t, err)
	cfg, err = cfg.Resolve()
	require.NoError(t, err)
	return cfg
}

// apart is the cell opened with such a teacher.
func apart(t *testing.T, cfg *config.Config) *pipeline.Apart {
	t.Helper()
	torchtest.Setup(t)
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 1, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	c, err := cfg.Teacher.Train.ModelConfig(48, set.Tokenizer)
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	require.NoError(t, m.Store().Init(1, torch.CPU))
	defer m.Store().Free()
	cfg.Teacher = config.TeacherConfig{Checkpoint: filepath.Join(t.TempDir(), "teacher")}
	require.NoError(t, corpus.Reading{Words: prompt.New(set.Tokenizer, c), Form: c.Form(), Pre: model.AdsPreprocessor(48)}.Save(m, cfg.Teacher.Checkpoint))
	a, err := pipeline.OpenApart(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// The experiment is about settings that can be compared, and both sizes are what their names say.
func TestExperiment(t *testing.T) {
	for _, quick := range []bool{false, true} {
		f, err := experiment.Read("../peers.toml", quick)
		require.NoError(t, err)
		cells, err := f.Cells(t.TempDir(), nil)
		require.NoError(t, err)
		require.Len(t, cells, len(f.Seeds)*2*len(Ways()))
		for _, c := range cells {
			require.Equal(t, []string{"bin/bench", "-contest"}, c.Command[:2])
			assert.Contains(t, Ways(), c.Command[2])
			cfg, err := c.Config.Resolve()
			require.NoError(t, err)
			require.NoError(t, checkEqualTerms(cfg), c.Name())
			if c.Command[2] != "scratch" || c.Seed != 1 {
				continue
			}
			set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 1, Validation: 1, Test: 1, OOD: 1})
			require.NoError(t, err)
			declared, err := cfg.Teacher.Train.ModelConfig(48, set.Tokenizer)
			require.NoError(t, err)
			teacher, err := model.New(declared)
			require.NoError(t, err)
			student, err := cfg.Stages.Final(teacher)
			require.NoError(t, err)
			ratio := float64(teacher.Store().Count()) / float64(student.Store().Count())
			assert.Equal(t, map[bool]string{true: "40 times, from scratch", false: "18.5 times, from scratch"}[ratio > 30], c.Setting)
			assert.InDelta(t, map[bool]float64{true: 40, false: 18.5}[ratio > 30], ratio, .1)
		}
	}
}

// The data and the teacher are opened once.
func TestJobs(t *testing.T) {
	a := apart(t, cell(t))
	t.Run("terms", func(t *testing.T) { allWaysHaveEqualTerms(t, a) })
	t.Run("sizes", func(t *testing.T) { figuresOfAnotherSizeAreRefused(t, a) })
	t.Run("data", func(t *testing.T) { dataAreTheRuns(t, a) })
}

// All ways end at the run's size, after its steps.
func allWaysHaveEqualTerms(t *testing.T, a *pipeline.Apart) {
	cuts := map[string]int{"plain": 6, "authors": 3, "torch-pruning": 6, "torch-pruning-once": 1, "scratch": 1}
	for _, name := range Ways() {
		if name == Espalier {
			continue
		}
		j, err := newJob(name, a)
		require.NoError(t, err)
		assert.Equal(t, 164412, j.Parameters, name)
		steps, n := 0, 0
		for _, s := range j.Stages {
			for _, c := range s.Cuts {
				n++
				steps += c.Steps
			}
		}
		last := j.Stages[len(j.Stages)-1]
		assert.Equal(t, cuts[name], n, name)
		assert.Equal(t, 2040, steps, name)
		assert.Equal(t, 164412, last.Cuts[len(last.Cuts)-1].Parameters, name)
		assert.Equal(t, finalOfStage, last.Cuts[len(last.Cuts)-1].Final, name)
		assert.Equal(t, []string{"color", "manifestations", "content", "logo", "style"}, j.Tasks)
	}
	j, err := newJob("plain", a)
	require.NoError(t, err)
	assert.Equal(t, map[nn.Kind]int{nn.Hidden: 116}, j.Stages[2].Cuts[0].Units["vision"])
	assert.Equal(t, finalBetweenCuts, j.Stages[2].Cuts[0].Final)
	once, err := newJob("scratch", a)
	require.NoError(t, err)
	assert.Equal(t, map[nn.Kind]int{nn.Blocks: 2, nn.Heads: 2, nn.FFN: 208, nn.Hidden: 44}, once.Stages[0].Cuts[0].Units["vision"])
}

// What is handed over is what the run itself reads: pixels, tokens, and the order of each cut's training.
func dataAreTheRuns(t *testing.T, a *pipeline.Apart) {
	for i := range a.Config.Stages {
		a.Config.Stages[i].Distil.Steps = 5 - i
	}
	j, err := newJob("plain", a)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "data.safetensors")
	require.NoError(t, writeData(path, a, j))
	file, err := checkpoint.OpenSafeTensors(path)
	require.NoError(t, err)
	defer file.Close()
	torchtest.Run(t, func(*torch.Scope) {
		read := func(name string) *torch.Tensor {
			x, err := file.Load(name, torch.CPU)
			require.NoError(t, err, name)
			return x
		}
		pixels := read("test.pixels")
		assert.Equal(t, []int{3, 3, 48, 48}, pixels.Shape())
		want := make([]uint8, 3*48*48)
		require.NoError(t, a.Test.Split.Pixels(2, want))
		assert.Equal(t, want, torch.Values[uint8](pixels)[2*len(want):])
		answers := torch.Values[int64](read("train.answers"))
		q := a.Train.Asked.Questions[0][1].Answer
		for i, id := range q {
			assert.EqualValues(t, id, answers[4+i])
		}
		feed := a.Train.Feed(t.Context(), 32, random.Stream(a.Config.Seed, "distil", 0, 1), false)
		defer feed.Close()
		b, err := feed.Batch(1)
		require.NoError(t, err)
		order := torch.Values[int64](read("order.0.1"))
		require.Len(t, order, 5*32)
		for i, p := range b.Index {
			assert.EqualValues(t, p, order[32+i])
		}
		assert.Len(t, torch.Values[int64](read("sample.2.4")), 8, "whole batches of importance.batch")
	})
}

// What the others cannot do, or what would give Espalier more than they have, is refused with its key.
func TestUnequalTermsAreRefused(t *testing.T) {
	require.NoError(t, checkEqualTerms(cell(t)))
	for set, want := range map[string]string{
		"stage.hidden.alpha=0.5":                   "stage.hidden.alpha",
		"stage.inner.criterion=activation":         "stage.inner.criterion",
		"stage.blocks.loss=distillation":           "stage.blocks.loss",
		"stage.hidden.distil.average=0.9":          "stage.hidden.distil",
		"stage.inner.keep.queries=8":               "stage.inner.keep",
		`stage.inner.candidates=["taylor/margin"]`: "stage.inner.candidates",
		"data.stages=20":                           "data.stages",
	} {
		assert.ErrorContains(t, checkEqualTerms(cell(t, set)), want, set)
	}
	err := Contest{Way: "best", Config: cell(t)}.Run(t.Context())
	assert.ErrorContains(t, err, `no contestant "best"; there are authors, espalier, plain`)
}

func figuresOfAnotherSizeAreRefused(t *testing.T, a *pipeline.Apart) {
	j := &job{Method: "traced", Parameters: 1000}
	r := &result{Student: measured{Parameters: 1015, Accuracy: report.Accuracy{report.Overall: .5}}, Sizes: []int64{1015}, Seconds: map[string]float64{"distil": 3}}
	done, err := reportOf(a, j, r)
	require.NoError(t, err)
	assert.Equal(t, 3., done.Stages[0].Seconds.Distil)
	r.Student.Parameters = 1021
	_, err = reportOf(a, j, r)
	assert.ErrorContains(t, err, "1021 parameters, 1000 were asked for")
}

// A teacher that another program sees otherwise is refused.
func TestTeachersAreHeldAgainstTheirReport(t *testing.T) {
	folder := t.TempDir()
	here := report.Model{Accuracy: report.Accuracy{report.Overall: .9}, OOD: report.Accuracy{report.Overall: .5}}
	require.NoError(t, sameTeacher(filepath.Join(folder, "teacher"), here), "there is no report")
	require.NoError(t, (&report.Report{Teacher: here}).Write(filepath.Join(folder, "report.json")))
	require.NoError(t, sameTeacher(filepath.Join(folder, "teacher"), here))
	here.Accuracy = report.Accuracy{report.Overall: .89}
	assert.ErrorContains(t, sameTeacher(filepath.Join(folder, "teacher"), here), "the two programs do not see the same")
}

func TestFirst(t *testing.T) {
	assert.Equal(t, []int{0, 1, 2}, slices.Collect(first(slices.Values([]int{0, 1, 2, 3}), 3)))
	assert.Empty(t, slices.Collect(first(slices.Values([]int{1}), 0)))
}
