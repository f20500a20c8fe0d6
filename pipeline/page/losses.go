package page

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"espalier/distillation"
	"espalier/pipeline/report"
	"espalier/pipeline/teacher"
)

// lossCharts show how the losses of the teacher's training and of each stage's distillation went.
func lossCharts(m *missing, k kept, stages []made) (out []chart) {
	if _, trained := k["teacher/train"]; trained {
		var t teacher.Trained
		if err := k.value("teacher/train", &t); err != nil {
			m.add("the teacher's loss", err)
		} else {
			drawLosses(m, &out, "Teacher: training", t.Courses, "a new phase")
		}
	}
	for _, s := range stages {
		drawLosses(m, &out, "Stage "+s.Stage+": distillation", s.Courses, "the next part: a cut, or more steps")
	}
	return out
}

func drawLosses(m *missing, to *[]chart, title string, courses []distillation.Course, at string) {
	courses = slices.DeleteFunc(slices.Clone(courses), func(c distillation.Course) bool { return len(c.Points) == 0 })
	p, says, err := lossPlot(courses)
	if p == nil && err == nil {
		return // nothing was trained
	}
	var keys []key
	if len(courses) > 1 {
		keys = []key{{"dashes", at}}
	}
	m.draw(to, title, says, keys, p, err)
}

// steepness is how many times larger the greatest loss must be than the least for an axis of powers.
const steepness = 30

// lossPlot strings courses together. A dashed line stands where one ends and another begins.
func lossPlot(courses []distillation.Course) (p *plot.Plot, says string, err error) {
	p = plot.New()
	p.X.Label.Text, p.Y.Label.Text = "step", "loss"
	p.Add(plotter.NewGrid())
	begun, least, most := 0, 0., 0.
	var first, last float64
	var breaks []float64
	any := false
	for _, c := range courses {
		var line plotter.XYs
		for _, point := range c.Points {
			line = append(line, plotter.XY{X: float64(begun + point.Step), Y: point.Loss})
			if !any {
				first, least, most = point.Loss, point.Loss, point.Loss
			}
			any, last, least, most = true, point.Loss, min(least, point.Loss), max(most, point.Loss)
		}
		if begun > 0 {
			breaks = append(breaks, float64(begun))
		}
		begun += c.Steps
		if err := addLine(p, line); err != nil {
			return nil, "", err
		}
	}
	if !any {
		return nil, "", nil
	}
	if least == most {
		least, most = least-.5, most+.5
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, float64(begun), least, most
	if least > 0 && most/least > steepness {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else if least > 0 {
		p.Y.Min = 0
	}
	for _, x := range breaks {
		l, err := plotter.NewLine(plotter.XYs{{X: x, Y: p.Y.Min}, {X: x, Y: p.Y.Max}})
		if err != nil {
			return nil, "", err
		}
		l.Color, l.Width, l.Dashes = report.MarkColor, vg.Points(1), []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(l)
	}
	return p, fmt.Sprintf("the loss goes from %.3g to %.3g in %d steps", first, last, begun), nil
}

// addLine adds a course; a single point is a dot.
func addLine(p *plot.Plot, at plotter.XYs) error {
	if len(at) == 0 {
		return nil
	}
	line, dots, err := plotter.NewLinePoints(at)
	if err != nil {
		return err
	}
	line.Color, line.Width = report.RecoverColor, vg.Points(1.5)
	dots.GlyphStyle = draw.GlyphStyle{Color: color.Color(report.RecoverColor), Radius: vg.Points(2), Shape: draw.CircleGlyph{}}
	p.Add(line)
	if len(at) == 1 {
		p.Add(dots)
	}
	return nil
}
