package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/card"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/energy"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/needs"
	"espalier/pipeline/network"
	"espalier/pipeline/page"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/pipeline/teacher"
	"espalier/torch"
	"espalier/torch/disk"
)

// corpora are the splits as a network reads them.
type corpora struct {
	train *corpus.Corpus
	measure.Splits
}

// tokenize makes the corpora and checks what they need.
func (r *run) tokenize(set *data.Dataset, t *teacher.Teacher) (c corpora, err error) {
	network := t.Declared().Config()
	if c, err = r.read(set, t.Reading, network.Queries); err != nil {
		return c, err
	}
	return c, needs.Check(needs.Input{Config: r.cfg, Set: set, Network: network, Train: c.train, Validation: c.Validation, Test: c.Test, OOD: c.OOD, Events: r.events})
}

// read makes the corpora as a network with so many query tokens reads them.
func (r *run) read(set *data.Dataset, reading corpus.Reading, queries int) (c corpora, err error) {
	for _, s := range []struct {
		split *data.Split
		into  **corpus.Corpus
	}{{set.Train, &c.train}, {set.Validation, &c.Validation}, {set.Test, &c.Test}, {set.OOD, &c.OOD}} {
		if s.split == nil {
			continue
		}
		if *s.into, err = corpusOf(r, s.split, reading, queries); err != nil {
			return c, err
		}
	}
	return c, nil
}

// corpusOf is a split as a network with so many query tokens reads it.
func corpusOf(r *run, split *data.Split, reading corpus.Reading, queries int) (*corpus.Corpus, error) {
	c, err := corpus.New(split, reading)
	if err != nil {
		return nil, err
	}
	if note := c.Divide(r.cfg.Data.RowTokens, queries, r.cfg.Eval.MaxAnswerTokens); note != "" {
		r.events.Note("%s", note)
	}
	return c, nil
}

// keepTeacher leaves a complete checkpoint in the run's folder: a copy of a teacher that was trained here, a link to one that
// was given.
func keepTeacher(r *run, t *teacher.Teacher) error {
	if given := r.cfg.Teacher.Checkpoint; given != "" {
		return r.chain.Link("teacher", given)
	}
	return r.chain.Copy("teacher", t.Trained.Print(), "", t.Trained.CopyFiles)
}

// hearTeacher marks the teacher's answers on validation, and says what is odd about them.
func (r *run) hearTeacher(ctx context.Context, t *teacher.Teacher, on measure.Splits) (measure.Marks, error) {
	marks, err := measure.MarksOf(ctx, r.chain, measure.Subject{Network: t.Held, Stage: "teacher", At: "teacher"}, on.Validation, r.cfg.Eval, "on validation")
	if err != nil {
		return marks.Value, err
	}
	if note := marks.Value.Form.Note(on.Validation); note != "" {
		r.events.Note("%s", note)
	}
	all, _ := marks.Value.Accuracy(on.Validation.Split)
	needs.TeacherDoubts(r.cfg, all, r.events)
	return marks.Value, nil
}

// tellTeacher tells what the teacher is, and shows some of its answers.
func tellTeacher(events event.Events, m measure.Measured, test *corpus.Corpus) {
	events.Emit(event.TeacherMeasured{Kept: m.Kept, Model: m.Model})
	events.Emit(event.Histograms{Of: event.Weights, Stage: "teacher", Kept: m.Kept, Groups: m.Weights})
	events.Emit(event.Answers{Stage: "teacher", Pictures: measure.Shown(test.Split, m.Test, nil)})
}

// checkAccepted refuses a teacher that learnt too little: a student of it would prove nothing.
func checkAccepted(t *config.TrainConfig, marks measure.Marks, on measure.Splits) error {
	if t == nil || t.Accept == nil {
		return nil
	}
	all, _ := marks.Accuracy(on.Validation.Split)
	if got := all[report.Overall]; got < *t.Accept {
		return fmt.Errorf("the teacher answers %.4f of the validation split, teacher.train.accept asks for %.4f; train longer or try another seed", got, *t.Accept)
	}
	return nil
}

// keepStudent writes the result as it was measured, with its card.
func (r *run) keepStudent(in stage.Input, student *network.Held, folder, about string) error {
	stored := stage.Stored(r.cfg, in.Teacher, student)
	defer stored.Free()
	return r.chain.Copy(folder, chain.Of([]any{stored.Print(), r.cfg.Export, about}), card.Name, func(folder string) error {
		n, err := stored.Get()
		if err != nil {
			return err
		}
		reading, err := in.Reading(student.Declared())
		if err == nil {
			err = reading.Save(n, folder)
		}
		if err == nil {
			err = disk.Write(filepath.Join(folder, card.Name), []byte(about))
		}
		if err == nil {
			err = saveForOthers(r.cfg.Export, reading, n, folder)
		}
		return err
	})
}

// saveForOthers writes what programs beside this one need of a student.
func saveForOthers(form config.ExportConfig, reading corpus.Reading, n model.Network, folder string) error {
	// transformers reads a word list, which no published checkpoint has, only where a file tells it to.
	if words, ok := reading.Words.Answers.(*tokenizer.WordLevel); ok && form.Format == config.FormatTransformers {
		if err := words.SaveConfig(folder); err != nil {
			return err
		}
	}
	script, ok := n.(interface {
		SaveTorchScript(file string, pre model.Preprocessor, ends []int) error
	})
	if !ok || !form.TorchScript {
		return nil
	}
	return script.SaveTorchScript(filepath.Join(folder, model.TorchScriptName), reading.Pre, reading.Words.Ends())
}

// energyOf measures what answers of the teacher cost, and of a student as it was written.
func energyOf(ctx context.Context, r *run, in stage.Input, student *network.Held) (*report.Energy, error) {
	stored := stage.Stored(r.cfg, in.Teacher, student)
	defer stored.Free()
	questions := in.Splits.Test
	if tokens := student.Declared().Config().Tokens; tokens != nil {
		var err error
		if questions, _, err = questions.Over(tokens, student.Declared().Form()); err != nil {
			return nil, err
		}
	}
	machine := r.machine
	if machine == nil {
		m := energy.Open(energy.PowercapRoot, r.device)
		machine = &m
	}
	return measure.Energy(ctx, r.chain, *machine, measure.Answering{Network: in.Teacher.Held, Questions: in.Splits.Test},
		measure.Answering{Network: stored, Questions: questions}, r.cfg)
}

// finish writes the report, and the page of it.
func (r *run) finish(out *report.Report, set *data.Dataset) (*report.Report, error) {
	r.chain.Finish()
	out.Seed, out.Threads, out.Config, out.Versions = r.cfg.Seed, r.cfg.Threads, r.resolved, versions(r.device)
	total := r.chain.Totals()
	out.Seconds = time.Since(r.began).Seconds() - total.Spent + total.Seconds
	out.PeakRSSBytes, out.Reused = total.PeakRSS, total.Reused
	if err := out.Check(); err != nil {
		return nil, err
	}
	if err := out.WritePlot(filepath.Join(r.cfg.Output, "accuracy.png")); err != nil {
		return nil, err
	}
	if out.Energy != nil && out.Energy.Modelled.Year != nil {
		if err := out.Energy.Modelled.Year.WritePlot(filepath.Join(r.cfg.Output, "energy.png")); err != nil {
			return nil, err
		}
	}
	if err := out.Write(filepath.Join(r.cfg.Output, "report.json")); err != nil {
		return nil, err
	}
	missing, err := page.Write(r.cfg.Output, set)
	if err != nil {
		return nil, err
	}
	for _, note := range missing {
		r.events.Note("%s", note)
	}
	r.events.Emit(event.Finished{Report: out})
	return out, r.chain.Rechecked()
}

func versions(on torch.Device) map[string]string {
	return map[string]string{"libtorch": torch.Version(), "go": strings.TrimPrefix(runtime.Version(), "go"), "device": on.String()}
}
