package page

import (
	"fmt"
	"html/template"
	"path/filepath"
	"slices"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/pipeline/report"
)

// view is all that the page shows. A part that the run does not have is nil or empty, and left out.
type view struct {
	CSS      template.CSS
	JS       template.JS
	Title    string
	Run      string // the folder's name
	Headline []report.Figure
	Judged   report.Judgement
	Sections []section // for the list of contents
	Students []student
	Tasks    *tasks
	Parts    *parts
	Losses   []chart
	Cuts     []tower
	Scores   []*importance
	Gallery  *gallery
	EnergyOf []chart
	Joules   []string // what the figures of the energy stand on
	Tried    []chart
	Chosen   []report.Table // candidates, and divisions of a target
	Energy   []report.Table
	Facts    []string
	Settings string
	Versions [][2]string
	Missing  missing // what could not be shown, and why
}

// section is a part of the page that the list of contents names.
type section struct{ ID, Title string }

// student is a student with its stages: the only one, or one of several.
type student struct {
	ID, Name string // of one of several; else the name is empty
	Headline []report.Figure
	Target   string
	Judged   report.Judgement
	Failures []string
	Charts   []chart
	Tables   []report.Table
}

// viewOf takes the answers of the test split, or the reason why they are not known.
func viewOf(folder string, r *report.Report, kept kept, set *data.Dataset, test test, unknown error) (*view, []string) {
	v := &view{CSS: template.CSS(file("page.css")), JS: template.JS(file("page.js")), Run: runName(folder), Headline: report.Headline(r), Judged: report.Judge(r)}
	v.Title = titleOf(r)
	v.Facts, v.Settings, v.Versions = r.Facts(), settings(r.Config), versions(r.Versions)
	if len(r.Students) < 2 {
		v.Students = []student{v.student(r, student{})}
	} else {
		for i, s := range r.Students {
			v.Students = append(v.Students, v.student(report.Of(r, s), student{ID: fmt.Sprintf("student-%d", i+1), Name: s.Name}))
		}
	}
	v.Tasks, v.Parts = v.tasksOf(r), partsOfModels(r)
	v.stages(folder, r, kept)
	if r.Energy != nil { // its facts stand beside its figures
		v.Joules = r.Energy.Facts()
		v.Facts = slices.DeleteFunc(v.Facts, func(fact string) bool { return slices.Contains(v.Joules, fact) })
	}
	if r.Energy != nil && r.Energy.Modelled.Year != nil {
		p, err := r.Energy.Modelled.Year.Plot()
		v.Missing.draw(&v.EnergyOf, "What moves the year's saving", r.Energy.Modelled.Year.Line(), []key{{"apart", "an input at its low end"}, {"full", "at its high end"}, {"dashes", "all at their bases"}, {"claim", "the claim"}}, p, err)
	}
	for _, t := range r.Tables() {
		if t.About == "energy" {
			v.Energy = append(v.Energy, t)
		}
	}
	err := unknown
	if err == nil {
		v.Gallery, err = galleryOf(r, test.cards, set)
	}
	if err != nil {
		v.Missing.add("the gallery", err)
	}
	v.Sections = v.contents()
	return v, v.Missing
}

// stages shows how the first student was made.
func (v *view) stages(folder string, r *report.Report, k kept) {
	prefix := prefixOf(r)
	var all, accepted []made
	for _, s := range r.Stages {
		m, err := k.madeOf(prefix, s)
		if err != nil {
			v.Missing.add("how its stages went", err)
			return
		}
		all = append(all, m)
		if s.Accepted {
			accepted = append(accepted, m)
		}
	}
	v.Losses = lossCharts(&v.Missing, k, all)
	if len(all) == 0 {
		return
	}
	teacher, err := teacherOf(filepath.Join(folder, "teacher"))
	if err != nil {
		v.Missing.add("the map of its cuts", err)
		return
	}
	if len(accepted) > 0 {
		if v.Cuts, err = mapOf(teacher, accepted); err != nil {
			v.Missing.add("the map of its cuts", err)
		}
	}
	if err := v.importances(teacher, r, all); err != nil {
		v.Missing.add("the importance of its units", err)
	}
}

// importances draws each stage's scores, with the network that it began with.
func (v *view) importances(teacher model.Network, r *report.Report, stages []made) error {
	o := newOrigins(teacher)
	for i, s := range stages {
		if of := importanceOf(&v.Missing, s, r.Stages[i].Criterion, o.n); of != nil {
			v.Scores = append(v.Scores, of)
		}
		if i+1 == len(stages) {
			return nil
		}
		for _, c := range s.Cuts {
			if err := o.cut(s.Stage, c.Keep); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *view) contents() (out []section) {
	add := func(there bool, id, title string) {
		if there {
			out = append(out, section{id, title})
		}
	}
	add(true, "stages", "Stages")
	add(v.Tasks != nil, "tasks", "Tasks")
	add(v.Parts != nil, "parts", "Parameters")
	add(len(v.Cuts) > 0, "cuts", "Cuts")
	add(len(v.Scores) > 0, "importance", "Importance")
	add(len(v.Chosen) > 0, "choices", "Tried")
	add(len(v.Losses) > 0, "losses", "Losses")
	add(len(v.Energy) > 0, "energy", "Energy")
	add(v.Gallery != nil, "gallery", "Gallery")
	add(true, "run", "The run")
	return out
}

func titleOf(r *report.Report) string {
	h := report.Headline(r)
	return fmt.Sprintf("%s, %s, %s right", h[0].Value, h[1].Value, h[3].Value)
}

// runName is what the page calls the run.
func runName(folder string) string {
	if whole, err := filepath.Abs(folder); err == nil {
		folder = whole
	}
	return filepath.Base(folder)
}

func (v *view) student(r *report.Report, s student) student {
	s.Headline, s.Judged = report.Headline(r), report.Judge(r)
	before := r.Teacher
	for i, stage := range r.Stages {
		for _, name := range stage.Told(before) {
			s.Failures = append(s.Failures, fmt.Sprintf("stage %d %s: %s", i+1, stage.Name, name))
		}
		before = stage.Distilled
	}
	if r.Target != nil {
		s.Target = r.Target.Line()
	}
	for _, t := range r.Tables() {
		switch t.About {
		case "stages", "gates":
			s.Tables = append(s.Tables, t)
		case "candidates", "target":
			if s.Name != "" {
				t.Title = s.Name + ": " + t.Title
			}
			v.Chosen = append(v.Chosen, t)
		}
	}
	s.Charts = accuracyCharts(&v.Missing, r)
	for _, stage := range r.Stages {
		drawCandidates(&v.Missing, &v.Tried, s.Name, stage)
	}
	return s
}

// tasks are the accuracies before and after, by task and category, and what is known of single answers.
type tasks struct {
	Charts []chart
	Tables []report.Table
}

func (v *view) tasksOf(r *report.Report) *tasks {
	t := &tasks{}
	for _, table := range r.Tables() {
		if table.About == "tasks" || table.About == "answers" {
			t.Tables = append(t.Tables, table)
		}
	}
	t.Charts = taskCharts(&v.Missing, r)
	if len(t.Tables) == 0 && len(t.Charts) == 0 {
		return nil
	}
	return t
}
