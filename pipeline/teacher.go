package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/torch"
)

// recipe is the version of everything between a [teacher.train] and its weights. It is raised when training changes, so
// that a teacher of the old recipe is not taken from the cache.
const recipe = 1

// prepareTeacher loads or trains the teacher and measures it.
func (r *run) prepareTeacher(ctx context.Context) error {
	start := time.Now()
	var err error
	if r.cfg.Teacher.Checkpoint != "" {
		err = r.loadTeacher(r.cfg.Teacher.Checkpoint)
	} else {
		err = r.trainedTeacher(ctx)
	}
	if err != nil {
		return err
	}
	if err := r.takeHubForm(); err != nil {
		return err
	}
	r.teacher.Store().SetRequiresGrad(false)
	r.dtypes = r.cfg.ExportDtypes(model.DtypesOf(r.teacher))
	if err := r.tellMemory(); err != nil {
		return err
	}
	r.events.Emit(Phase{Stage: "teacher", Name: "measure", Detail: "on validation"})
	var other otherForm
	r.teacherMarks, err = r.listen(ctx, r.teacher, r.validation, func(p, j int, ids []int) { other.hear(r.validation, p, j, ids) })
	if err != nil {
		return err
	}
	if other.count > 0 {
		r.events.Emit(Note{other.String()})
	}
	r.noteTeacher()
	if r.journal.Teacher == nil {
		spent := time.Since(start).Seconds()
		m, err := r.measure(ctx, r.teacher, "teacher", "")
		if err != nil {
			return err
		}
		r.journal.Teacher, r.journal.TeacherSeconds = &m, spent
		if err := r.save(); err != nil {
			return err
		}
	}
	r.events.Emit(TeacherMeasured{*r.journal.Teacher})
	return r.checkAccepted()
}

// checkAccepted refuses a teacher that learnt too little: a student of it would prove nothing.
func (r *run) checkAccepted() error {
	t := r.cfg.Teacher.Train
	if t == nil || t.Accept == nil {
		return nil
	}
	all, _ := r.teacherMarks.accuracy(r.validation.split)
	if got := all["overall"]; got < *t.Accept {
		return fmt.Errorf("the teacher answers %.4f of the validation split, teacher.train.accept asks for %.4f; train longer or try another seed", got, *t.Accept)
	}
	return nil
}

// loadTeacher takes a checkpoint folder with its own vocabulary.
func (r *run) loadTeacher(folder string) error {
	m, err := model.Load(folder, r.device)
	if err != nil {
		return &fault.InputError{Err: err}
	}
	r.teacher = m
	for _, note := range m.Notes() {
		r.events.Emit(Note{note})
	}
	words, err := prompt.Load(folder, m.Config(), r.cfg.Data.Prompt)
	if err != nil {
		return &fault.InputError{Err: err}
	}
	// Published checkpoints round their vocabulary up.
	if n := words.Answers.Size(); n > m.Config().Text.Vocabulary {
		return fault.Inputf("%s: tokenizer.json has %d words, the language model %d; they are not of one checkpoint", folder, n, m.Config().Text.Vocabulary)
	}
	if err := data.CheckVocabulary(words.Answers, r.set); err != nil {
		return &fault.InputError{Err: err}
	}
	r.words = words
	if words.Template != r.cfg.Data.Prompt {
		r.events.Emit(Note{fmt.Sprintf("questions are framed as %q, the checkpoint's espalier.prompt; data.prompt would say otherwise", words.Template)})
	}
	m.Config().Prompt = words.Template // students take it over
	if r.pre, err = model.LoadPreprocessorFor(folder, m.Config()); err != nil {
		return &fault.InputError{Err: err}
	}
	if r.pre.Crops() {
		return fault.Inputf("%s: the preprocessor cuts out the middle of pictures (do_center_crop), which a run does not do: crop the pictures of the data "+
			"to squares, and set do_center_crop to false and size to the network's height and width", folder)
	}
	if m.Config().Vision.Image != r.set.Size {
		return fault.Inputf("data.size is %d, the checkpoint %s sees pictures of %d; set data.size = %d", r.set.Size, folder, m.Config().Vision.Image, m.Config().Vision.Image)
	}
	if err := r.planStages(m); err != nil {
		return err
	}
	return r.tokenize(m.Config())
}

// planStages checks what the stages keep against the teacher's sizes, and changes it to what the export can express.
func (r *run) planStages(teacher model.Network) error {
	if err := r.cfg.CheckKeep(teacher); err != nil {
		return err
	}
	notes, err := r.cfg.FitExport(teacher)
	for _, n := range notes {
		r.note("%s", n)
	}
	return err
}

// trainedTeacher trains the teacher of [teacher.train], or finds it in the run folder or in the user's cache.
func (r *run) trainedTeacher(ctx context.Context) error {
	r.words, r.pre = prompt.Words{Answers: r.set.Tokenizer, Template: r.cfg.Data.Prompt}, model.AdsPreprocessor(r.set.Size)
	c, err := r.cfg.Teacher.Train.ModelConfig(r.set.Size, r.words.Answers)
	if err != nil {
		return err
	}
	m, err := model.New(c)
	if err != nil {
		return err
	}
	if err := r.planStages(m); err != nil {
		return err
	}
	if err := r.tokenize(c); err != nil {
		return err
	}
	for _, folder := range []string{r.path("teacher"), r.teacherCache()} {
		if _, err := os.Stat(filepath.Join(folder, "config.json")); err != nil {
			continue
		}
		kept, err := r.loadModel(folder)
		if err != nil {
			r.events.Emit(Note{fmt.Sprintf("the kept teacher is not usable (%v): training again", err)})
			continue
		}
		r.events.Emit(Note{"teacher: as trained before, in " + folder})
		r.teacher = kept
		return r.keepTeacher(r.path("teacher"))
	}
	if err := m.Store().Init(stream(r.cfg.Seed, "teacher", "init"), r.device); err != nil {
		return err
	}
	r.teacher = m
	if err := r.trainTeacher(ctx, m); err != nil {
		return err
	}
	return errors.Join(r.keepTeacher(r.path("teacher")), r.keepTeacher(r.teacherCache()))
}

// keepTeacher saves the teacher where it is not yet. config.json is written last: it marks a whole checkpoint.
func (r *run) keepTeacher(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, "config.json")); err == nil || folder == "" {
		return nil
	}
	return r.saveModel(r.teacher, folder)
}

// teacherCache is the folder in the user's cache that belongs to everything the teacher's weights depend on.
func (r *run) teacherCache() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "" // no home: nothing is kept beyond the run folder
	}
	of := []any{"teacher cache", recipe, r.cfg.Hash("teacher", "threads", "precision", "seed"), r.set.Hash(), torch.Version(), r.device}
	if parts := r.train.split.Parts(); parts != nil { // other batches than of whole pictures
		of = append(of, parts)
	}
	key := stream(r.cfg.Seed, of...)
	return filepath.Join(cache, "espalier", "teachers", fmt.Sprintf("%016x", key))
}
