package pipeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

// verifyPictures is how many validation pictures, with all their questions, prove a cut.
const verifyPictures = 8

// stages runs all that the journal does not hold as done, and returns the last accepted student.
func (r *run) stages(ctx context.Context) (model.Network, error) {
	var student model.Network // nil: none was run here yet
	for i := range r.cfg.Stages {
		if i < len(r.journal.Stages) && r.journal.Stages[i].Accepted {
			continue
		}
		if i == len(r.journal.Stages) {
			s := r.cfg.Stages[i]
			r.journal.Stages = append(r.journal.Stages, stageJournal{Stage: report.Stage{Name: r.cfg.StageNames()[i], Criterion: s.Criterion, Attempts: 1}})
		}
		var err error
		if student, err = r.stage(ctx, i, student); err != nil {
			return nil, err
		}
	}
	switch {
	case student != nil:
		return student, nil
	case len(r.cfg.Stages) > 0: // all were done by an earlier start
		return r.studentBefore(len(r.cfg.Stages), 0)
	}
	return r.teacher, nil
}

// cutFolder is where the student lies after a cut (from 1) of a stage and its distillation.
func (r *run) cutFolder(stage, cut int) string {
	return r.path("stages", fmt.Sprintf("%d-%s", stage+1, r.cfg.StageNames()[stage]), fmt.Sprintf("cut-%d", cut))
}

// studentBefore loads the network that a stage starts from, after so many of its cuts: a copy of the teacher, or a
// checkpoint of this run.
func (r *run) studentBefore(stage, cuts int) (model.Network, error) {
	switch {
	case cuts > 0:
		return r.loadModel(r.cutFolder(stage, cuts))
	case stage > 0:
		return r.loadModel(r.cutFolder(stage-1, r.cfg.Stages[stage-1].Cuts))
	}
	return model.Share(r.teacher)
}

// stage makes the cuts that are left, each with its share of the distillation, measures, and asks the gate. It takes over
// the student of the stage before; nil says that an earlier start left it on disk.
func (r *run) stage(ctx context.Context, index int, student model.Network) (_ model.Network, err error) {
	s, j := r.cfg.Stages[index], &r.journal.Stages[index]
	if student == nil {
		if student, err = r.studentBefore(index, j.Done); err != nil {
			return nil, err
		}
	}
	r.releaseTeacher()
	if j.Done > 0 {
		r.events.Emit(Note{fmt.Sprintf("stage %s goes on after cut %d of %d", j.Name, j.Done, s.Cuts)})
	}
	starts, err := r.startSizes(index)
	if err != nil {
		student.Store().Free()
		return nil, err
	}
	for cut := j.Done + 1; cut <= s.Cuts; cut++ {
		if student, err = r.cut(ctx, index, cut, student, starts); err != nil {
			return nil, err
		}
	}
	if err := r.asStored(student, func(n model.Network) error { return r.judge(ctx, index, n) }); err != nil {
		student.Store().Free()
		return nil, err
	}
	return student, nil
}

// startSizes are the units of each axis when the stage began: the widths between cuts are reckoned from them.
func (r *run) startSizes(index int) (map[string]int, error) {
	if index == 0 {
		return r.teacher.Store().Structure().Axes, nil
	}
	c, err := model.LoadConfig(r.cutFolder(index-1, r.cfg.Stages[index-1].Cuts)) // the sizes alone: a large network is not loaded for them
	if err != nil {
		return nil, err
	}
	return c.Structure.Axes, nil
}

// releaseTeacher gives back what only scoring and cutting the teacher itself needed: the first student has the same
// memory, and the losses need no more than the head.
func (r *run) releaseTeacher() { r.teacher.Store().FreeBut(r.teacher.HeadParams()...) }

// cut scores, plans, slices, proves and distils once, and saves the student. It takes the student over.
func (r *run) cut(ctx context.Context, index, cut int, student model.Network, starts map[string]int) (_ model.Network, err error) {
	defer student.Store().Free()
	s, j := r.cfg.Stages[index], &r.journal.Stages[index]
	detail := fmt.Sprintf("cut %d/%d", cut, s.Cuts)
	clock := time.Now()
	spend := func(on *float64) {
		*on += time.Since(clock).Seconds()
		clock = time.Now()
	}
	r.events.Emit(Phase{Stage: j.Name, Name: "score", Detail: detail})
	plan, err := r.plan(ctx, index, cut, student, starts)
	if err != nil {
		return nil, err
	}
	spend(&j.Seconds.Importance)
	after, err := pruning.Apply(student, plan)
	if err != nil {
		return nil, err
	}
	diff, err := r.prove(student, after, plan)
	if err != nil {
		after.Store().Free()
		return nil, err
	}
	j.Cuts = append(j.Cuts[:cut-1], report.Cut{Parameters: int64(after.Store().Count()), SliceMaskMaxDiff: diff})
	j.SliceMaskMaxDiff = max(j.SliceMaskMaxDiff, diff)
	student.Store().Free() // it is the largest thing in memory, and training needs more than all before
	torch.TrimMemory()
	spend(&j.Seconds.Prune)
	r.events.Emit(Cut{Stage: j.Name, Cut: cut, Of: s.Cuts, Parameters: int64(after.Store().Count()), SliceMaskMaxDiff: diff, Kept: keptText(plan, after)})
	if cut == s.Cuts {
		if err = r.asStored(after, func(n model.Network) (err error) {
			j.Pruned, err = r.measure(ctx, n, j.Name, Pruned)
			return err
		}); err != nil {
			after.Store().Free()
			return nil, err
		}
		r.events.Emit(StageMeasured{Stage: j.Name, When: Pruned, Model: j.Pruned})
		spend(&j.Seconds.Evaluate)
	}
	r.events.Emit(Phase{Stage: j.Name, Name: "distil", Detail: detail})
	if err := r.distil(ctx, index, cut, after); err != nil {
		after.Store().Free()
		return nil, err
	}
	spend(&j.Seconds.Distil)
	if err := r.saveModel(after, r.cutFolder(index, cut)); err != nil {
		after.Store().Free()
		return nil, err
	}
	j.Done = cut
	return after, r.save()
}

// plan scores the units that the stage cuts and chooses those that stay.
func (r *run) plan(ctx context.Context, index, cut int, student model.Network, starts map[string]int) (_ pruning.Plan, err error) {
	s := r.cfg.Stages[index]
	axes := config.AxesOf(s.Name, student)
	var scores pruning.Scores
	score := func() { scores, err = pruning.Importance(student, s.Criterion, axes, r.sample(ctx, index, cut)) }
	if r.cfg.Recompute {
		torch.Recompute(score)
	} else {
		score()
	}
	if err != nil {
		return pruning.Plan{}, err
	}
	plan := pruning.Plan{Keep: map[string][]int{}}
	for _, a := range axes {
		n := min(a.Units(), s.UnitsAfter(a, starts[a.Name], cut))
		if plan.Keep[a.Name], err = choose(r.cfg, student, a, scores[a.Name], n); err != nil {
			return plan, err
		}
	}
	return plan, nil
}

// sample is the training pictures that scores are measured on, and the loss by its name.
func (r *run) sample(ctx context.Context, index, cut int) pruning.Sample {
	c, s := r.cfg.Importance, r.cfg.Stages[index]
	size := min(c.Batch, r.train.split.Len())
	order := data.Order(r.train.split.Len(), stream(r.cfg.Seed, "importance", index, cut), 0)
	batches := max(1, min(c.Pictures, len(order))/size)
	pictures := func(i int) []int { return order[i*size : (i+1)*size] }
	return pruning.Sample{
		Batches: batches,
		Batch: func(i int) (*model.Batch, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			r.events.Emit(Progress{Done: i + 1, Total: batches, Unit: "batches"})
			return r.train.read(pictures(i))
		},
		Loss: func(i int, b *model.Batch, logits *torch.Tensor) *torch.Tensor {
			switch s.Loss {
			case "margin":
				return distillation.Margin(logits, b.Targets)
			case "distillation":
				return lossOf(s.Distil).Of(logits, r.outputs.Logits(pictures(i), r.device), b.Targets, r.train.labelled(pictures(i)))
			}
			return distillation.CrossEntropy(logits, b.Targets)
		},
		Seed: stream(r.cfg.Seed, "random scores", index, cut),
	}
}

// prove holds the cut network against the masked one on validation pictures.
func (r *run) prove(before, after model.Network, plan pruning.Plan) (float64, error) {
	pictures := make([]int, min(verifyPictures, r.validation.split.Len()))
	for i := range pictures {
		pictures[i] = i
	}
	return pruning.Verify(before, after, plan, func() (*model.Batch, error) { return r.validation.read(pictures) })
}

// asStored calls f with a student as its checkpoint will hold it: what is measured is what is written.
func (r *run) asStored(student model.Network, f func(model.Network) error) error {
	n, err := model.Stored(student, r.dtypes)
	if err != nil {
		return fault.Inputf("export.dtype = %q: %w", r.cfg.Export.DType, err)
	}
	defer n.Store().Free()
	return f(n)
}

// keptText says what a plan left, tower by tower, for a line on the terminal: the layers of a tower are cut alike.
func keptText(plan pruning.Plan, after model.Network) string {
	var towers []string
	widths := map[string]string{}
	seen := map[string]bool{}
	for _, a := range after.Store().Axes() {
		key := fmt.Sprint(a.Tower, a.Kind)
		if plan.Keep[a.Name] == nil || seen[key] {
			continue
		}
		seen[key] = true
		if widths[a.Tower] == "" {
			towers = append(towers, a.Tower)
		}
		if a.Kind == nn.Heads || a.Kind == nn.FFN {
			widths[a.Tower] += " " + string(a.Kind)
		}
		widths[a.Tower] += fmt.Sprintf(" %d", a.Units())
	}
	for i, t := range towers {
		towers[i] = t + widths[t]
	}
	return strings.Join(towers, ", ")
}
