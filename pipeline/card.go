package pipeline

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/card"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/measure"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/torch"
)

// madeOf is what a card tells of how a student was made.
type madeOf struct {
	teacher, student report.Model
	stages           []card.Stage
	target           *report.Target
}

// cardOf is the text of a student's card. in is as the stages had it.
func cardOf(ctx context.Context, r *run, in stage.Input, d madeOf, student *network.Held) (string, error) {
	c := &card.Card{Network: student.Declared(), Data: r.dataName, Before: d.teacher, After: d.student, Stages: d.stages, Target: d.target,
		DType: dtypesOf(r.cfg.ExportDtypes(in.Teacher.Dtypes)), Seed: r.cfg.Seed, MaxTokens: r.cfg.Eval.MaxAnswerTokens}
	c.Unloadable, c.Rewrite = unloadable(r.cfg, in, student.Declared())
	_, c.WordList = in.Teacher.Reading.Words.Answers.(*tokenizer.WordLevel)
	if r.cfg.Teacher.Checkpoint != "" {
		c.Teacher, c.TeacherID = teacherName(r.cfg.Teacher.Checkpoint)
	}
	for i := range d.stages {
		if d.stages[i].Accepted {
			c.Accepted = &d.stages[i].Gate
		}
	}
	pictures := student.Declared().Config().Towers()
	before, _ := in.Marks.Accuracy(in.Splits.Validation.Split)
	after, err := validated(ctx, r, in, c.Accepted, before, student)
	if err != nil {
		return "", err
	}
	c.Answered = answered("validation", pictures, in.Splits.Validation.Split, before, after)
	c.Answered = append(c.Answered, answered("test", pictures, in.Splits.Test.Split, d.teacher.Accuracy, d.student.Accuracy)...)
	if in.Splits.OOD != nil {
		c.Answered = append(c.Answered, answered("ood", pictures, in.Splits.OOD.Split, d.teacher.OOD, d.student.OOD)...)
	}
	return c.Text()
}

// validated is the student's accuracy on the validation split: the teacher's less what the gate that accepted it found, or, where none
// did, that of the teacher in the student's dtypes.
func validated(ctx context.Context, r *run, in stage.Input, accepted *report.Gate, teacher report.Accuracy, student *network.Held) (report.Accuracy, error) {
	if accepted == nil {
		stored := stage.Stored(r.cfg, in.Teacher, student)
		defer stored.Free()
		marks, err := measure.MarksOf(ctx, r.chain, measure.Subject{Network: stored, Stage: "student", At: in.Prefix + "student"}, in.Splits.Validation, r.cfg.Eval, "on validation")
		if err != nil {
			return nil, err
		}
		out, _ := marks.Value.Accuracy(in.Splits.Validation.Split)
		return out, nil
	}
	out := report.Accuracy{report.Overall: teacher[report.Overall] - accepted.Drop}
	for task, d := range accepted.Tasks {
		out[task] = teacher[task] - d.Drop
	}
	return out, nil
}

// answered are the accuracies on a split, all questions first.
func answered(name string, pictures bool, split *data.Split, teacher, student report.Accuracy) (rows []report.Answered) {
	for _, task := range append([]string{report.Overall}, teacher.Tasks()...) {
		a := report.Answered{Split: name, Task: task, Teacher: teacher[task], Student: student[task]}
		seen := map[int]bool{}
		for i := range split.Len() {
			for _, q := range split.Questions(i) {
				if task == report.Overall || q.Task == task {
					a.Questions++
					seen[split.Parts()[i].Picture] = true
				}
			}
		}
		if pictures {
			a.Pictures = len(seen)
		}
		rows = append(rows, a)
	}
	return rows
}

// unloadable says why plain transformers does not load a student's folder, and the command that mends it where there is one. Both are empty
// where it loads it.
func unloadable(cfg *config.Config, in stage.Input, student model.Network) (why, rewrite string) {
	hub, ok := student.(config.HubNetwork)
	if !ok {
		return "it has no class for this kind of network", ""
	}
	if cfg.Export.DType == torch.Int8.String() {
		return "its weights are int8 in a form of Espalier's", "go run ./cmd/model convert -out NEW FOLDER"
	}
	if _, err := hub.HubConfig(); err != nil {
		first, more, _ := strings.Cut(err.Error(), "\n")
		if more != "" {
			first += ", and more"
		}
		return `its configuration cannot express these sizes (` + first + `); export.format = "transformers" makes students that it can`, ""
	}
	if _, words := in.Teacher.Reading.Words.Answers.(*tokenizer.WordLevel); words && cfg.Export.Format != config.FormatTransformers {
		return `the list of words needs a tokenizer_config.json, which export.format = "transformers" writes`, ""
	}
	return "", ""
}

// dtypesOf names the dtypes of a checkpoint.
func dtypesOf(d model.Dtypes) string {
	var names []string
	for _, dtype := range d {
		if name := dtype.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " and ")
}

// hubCache is where Hugging Face's libraries keep a checkpoint: models--OWNER--NAME/snapshots/COMMIT.
var hubCache = regexp.MustCompile(`(?:^|/)models--([^/]+?)--([^/]+)/snapshots/[^/]+$`)

// hubID is an id of Hugging Face's.
var hubID = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$`)

// teacherName is how people know a teacher's folder, and its id on Hugging Face where the path says one. The rest of the path
// is nobody's business.
func teacherName(folder string) (name, id string) {
	full, err := filepath.Abs(folder)
	if err != nil {
		full = filepath.Clean(folder)
	}
	if m := hubCache.FindStringSubmatch(filepath.ToSlash(full)); m != nil {
		if id = m[1] + "/" + m[2]; hubID.MatchString(id) {
			return id, id
		}
	}
	return filepath.Base(full), ""
}

// scoredBy is how a stage chose what to cut.
func scoredBy(cfg *config.StageConfig, done report.Stage) string {
	for _, c := range done.Candidates {
		if c.Chosen {
			return c.Name
		}
	}
	if len(cfg.Scored()) == 0 {
		return "how often a token is used"
	}
	return cfg.Own().String()
}
