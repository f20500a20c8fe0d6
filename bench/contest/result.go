package contest

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"espalier/pipeline"
	"espalier/pipeline/report"
	"espalier/torch"
)

// result is what bench/peers/contest.py found.
type result struct {
	Teacher      measured           `json:"teacher"`
	Student      measured           `json:"student"`
	Sizes        []int64            `json:"sizes"`   // after each cut
	Seconds      map[string]float64 `json:"seconds"` // by what was done
	All          float64            `json:"all"`
	Peak         int64              `json:"peak"`
	Torch        string             `json:"torch"`
	TorchPruning string             `json:"torch_pruning"`
}

type measured struct {
	Parameters int64           `json:"parameters"`
	Accuracy   report.Accuracy `json:"accuracy"`
	OOD        report.Accuracy `json:"ood"`
}

func (m measured) model() report.Model {
	return report.Model{Parameters: m.Parameters, Accuracy: m.Accuracy, OOD: m.OOD}
}

// near is how far a student's size may be from the one that was asked for.
const near = .02

// reportOf is a result in the form of a run's report. Its only stage has the seconds of all.
func reportOf(a *pipeline.Apart, j *job, r *result) (*report.Report, error) {
	if d := float64(r.Student.Parameters)/float64(j.Parameters) - 1; d > near || d < -near {
		return nil, fmt.Errorf("contest: %s made a student of %d parameters, %d were asked for: figures of another size are no comparison",
			j.Method, r.Student.Parameters, j.Parameters)
	}
	out := &report.Report{Teacher: r.Teacher.model(), Student: r.Student.model(), Seed: j.Seed, Threads: j.Threads, Seconds: r.All, PeakRSSBytes: r.Peak,
		Config: a.Config.Resolved(), Versions: map[string]string{"libtorch": torch.Version(), "torch": r.Torch, "device": device}}
	if r.TorchPruning != "" {
		out.Versions["torch-pruning"] = r.TorchPruning
	}
	out.Ratio = report.RatioOf(out.Teacher, out.Student)
	stage := report.Stage{Name: "all", Criterion: j.Method, Attempts: 1, Accepted: true, Distilled: out.Student,
		Seconds: report.StageSeconds{Importance: r.Seconds["importance"], Prune: r.Seconds["prune"], Distil: r.Seconds["distil"]}}
	for _, n := range r.Sizes {
		stage.Cuts = append(stage.Cuts, report.Cut{Parameters: n})
	}
	out.Stages = []report.Stage{stage}
	return out, nil
}

// tie is how far two programs' accuracies of one network may be apart: rounding decides between tokens of equal logits.
const tie = .002

// sameTeacher holds the teacher's accuracy in Python against that in the report of its own run, where there is one of the same test split: so
// both programs see the same network, pictures and questions.
func sameTeacher(folder string, here report.Model) error {
	path := filepath.Join(filepath.Dir(folder), "report.json")
	own, err := report.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for name, of := range map[string][2]report.Accuracy{"test": {own.Teacher.Accuracy, here.Accuracy}, "ood": {own.Teacher.OOD, here.OOD}} {
		if a, b := of[0][report.Overall], of[1][report.Overall]; math.Abs(a-b) > tie {
			return fmt.Errorf("contest: the teacher answers %.4f of the %s split in Python, and %.4f by %s: the two programs do not see the same", b, name, a, path)
		}
	}
	return nil
}
