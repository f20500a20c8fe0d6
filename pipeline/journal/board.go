package journal

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"espalier/pipeline/event"
	"espalier/pipeline/tensorboard"
	"espalier/torch/disk"
)

// BoardName is the folder of TensorBoard's files in a run's folder.
const BoardName = "tensorboard"

// board is a file for TensorBoard. As metrics.csv it is of one start; those of earlier ones are removed when it begins.
type board struct {
	log
	folder string // empty: nothing is written
}

// files counts those that this process has begun: a run may start again within the second.
var files atomic.Int64

// own is in the names of our files.
const own = ".espalier."

func (b *board) numbers(now time.Time, rows []number) {
	for from := 0; from < len(rows); {
		to := from
		var values []tensorboard.Value
		for ; to < len(rows) && rows[to].step == rows[from].step; to++ {
			if tag := tagOf(rows[to]); tag != "" {
				values = append(values, tensorboard.Scalar(tag, rows[to].value))
			}
		}
		b.add(now, rows[from].step, values)
		from = to
	}
}

// tagOf is a number's tag; empty: it is not shown.
func tagOf(n number) string {
	of := ""
	if student := studentOf(n.phase.Stage); student != "" {
		of = " of " + student
	}
	switch n.phase.Name {
	case "candidate", "division": // lists, no curves
		return ""
	case "cut":
		return "cut/" + n.name + " " + n.phase.Stage
	case "gate":
		return "gate/" + n.name + of
	case "measured":
		if strings.Contains(n.name, "/") {
			return n.name + of
		}
		return "measured/" + n.name + of
	}
	return n.name + "/" + n.phase.Stage + " " + n.phase.Title()
}

// histograms adds those of a stage. Scores stand at their cut, weights at the measurement that they belong to.
func (b *board) histograms(now time.Time, step int, e event.Histograms) {
	var values []tensorboard.Value
	tag, student := e.Of+"/"+e.Stage+" ", ""
	if e.Of == event.Weights {
		tag = e.Of + "/"
		if name := studentOf(e.Stage); name != "" {
			student = " of " + name
		}
	}
	for _, group := range slices.Sorted(maps.Keys(e.Groups)) {
		h := e.Groups[group]
		if len(h.Counts) == 0 {
			continue
		}
		bins := tensorboard.Bins{Low: h.Low, High: h.High, Sum: h.Sum, SumOfSquare: h.Square}
		for i, n := range h.Counts {
			bins.Limits, bins.Counts = append(bins.Limits, h.Limit(i)), append(bins.Counts, float64(n))
		}
		values = append(values, tensorboard.Histogram(tag+group+student, bins))
	}
	b.add(now, step, values)
}

// answers adds the pictures with what was said to them, and all of it as a text, which has every letter.
func (b *board) answers(now time.Time, step int, e event.Answers) {
	var values []tensorboard.Value
	of := ""
	if student := studentOf(e.Stage); student != "" {
		of = " of " + student
	}
	for i, p := range e.Pictures {
		if p.Picture == nil {
			continue
		}
		caption := []string{p.Place}
		for _, q := range p.Asked {
			caption = append(caption, q.Question, "· wanted: "+strings.Join(q.Accepted, " | "), "· teacher: "+q.Teacher)
			if e.Stage != "teacher" {
				caption = append(caption, "· student: "+q.Student)
			}
		}
		file, width, height, err := tensorboard.Captioned(p.Picture, caption)
		if err == nil {
			values = append(values, tensorboard.Image(fmt.Sprintf("answers/picture %d%s", i+1, of), width, height, file))
		}
	}
	if len(e.Pictures) > 0 {
		values = append(values, tensorboard.Text("answers/text"+of, markdown(e)))
	}
	b.add(now, step, values)
}

// markdown is a table of the answers.
func markdown(e event.Answers) string {
	var out strings.Builder
	out.WriteString("| picture | question | wanted | teacher | student |\n|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;")
	for i, p := range e.Pictures {
		for _, q := range p.Asked {
			fmt.Fprintf(&out, "| %d: %s | %s | %s | %s | %s |\n", i+1, cell.Replace(p.Place), cell.Replace(q.Question), cell.Replace(strings.Join(q.Accepted, ", ")),
				cell.Replace(q.Teacher), cell.Replace(q.Student))
		}
	}
	return out.String()
}

func (b *board) add(now time.Time, step int, values []tensorboard.Value) {
	if b.folder == "" || len(values) == 0 {
		return
	}
	if !b.failed.IsZero() && now.Sub(b.failed) < retry {
		return
	}
	var piece []byte
	if b.whole == 0 {
		if b.path == "" {
			b.path = filepath.Join(b.folder, fmt.Sprintf("events.out.tfevents.%010d%s%d.%d", now.Unix(), own, os.Getpid(), files.Add(1)))
		}
		if err := b.clear(); err != nil {
			b.fail(now, err)
			return
		}
		piece = tensorboard.Open(now)
	}
	b.write(now, append(piece, tensorboard.Record(now, step, values...)...))
}

// clear makes the folder, and removes the files of earlier starts.
func (b *board) clear() error {
	if err := disk.MkdirAll(b.folder); err != nil {
		return err
	}
	found, err := os.ReadDir(b.folder)
	for _, f := range found {
		if strings.HasPrefix(f.Name(), "events.out.tfevents.") && strings.Contains(f.Name(), own) {
			err = errors.Join(err, disk.RemoveAll(filepath.Join(b.folder, f.Name())))
		}
	}
	return err
}
