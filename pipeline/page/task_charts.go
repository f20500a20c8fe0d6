package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"espalier/pipeline/report"
)

// pair is an accuracy before and after.
type pair struct {
	name          string
	before, after float64
}

// mostPairs is how many lines a chart has; the tables have all.
const mostPairs = 24

// taskCharts show accuracy before and after, task by task and category by category.
func taskCharts(m *missing, r *report.Report) (out []chart) {
	byTask := []pair{{"all questions", r.Teacher.Accuracy[report.Overall], r.Student.Accuracy[report.Overall]}}
	for _, task := range r.Teacher.Accuracy.Tasks() {
		byTask = append(byTask, pair{task, r.Teacher.Accuracy[task], r.Student.Accuracy[task]})
	}
	if len(byTask) > 1 {
		drawPairs(m, &out, "Accuracy by task", "teacher", "student", byTask)
	}
	var byCategory []pair
	for _, category := range slices.Sorted(maps.Keys(r.Teacher.AccuracyByCategory)) {
		byCategory = append(byCategory, pair{category, r.Teacher.AccuracyByCategory[category][report.Overall], r.Student.AccuracyByCategory[category][report.Overall]})
	}
	if len(byCategory) > 1 {
		drawPairs(m, &out, "Accuracy by category", "teacher", "student", byCategory)
	}
	return out
}

// drawCandidates shows how the ways to score that a stage tried came out of the cut, and of the short training.
func drawCandidates(m *missing, to *[]chart, student string, s report.Stage) {
	var tried []pair
	for _, c := range s.Candidates {
		if c.AccuracyCut == nil || c.AccuracyShort == nil {
			continue
		}
		name := c.Name
		if c.Chosen {
			name = "✓ " + name
		}
		tried = append(tried, pair{name, *c.AccuracyCut, *c.AccuracyShort})
	}
	if len(tried) > 0 {
		drawPairs(m, to, strings.TrimSpace(student+" stage "+s.Name+": ways to score, ✓ chosen"), "just cut", "after a short training", tried)
	}
}

// drawPairs draws pairs, whose ends the reader knows as before and after.
func drawPairs(m *missing, to *[]chart, title, before, after string, pairs []pair) {
	shown := pairs[:min(len(pairs), mostPairs)]
	if len(shown) < len(pairs) {
		title = fmt.Sprintf("%s (%d of %d)", title, len(shown), len(pairs))
	}
	says := fmt.Sprintf("a line for each, from %s to %s", before, after)
	p, err := pairsPlot(shown)
	if err != nil {
		m.add(title, err)
		return
	}
	height := vg.Points(float64(60 + 22*len(shown)))
	svg, err := svgOf(p, chartWidth, height)
	if err != nil {
		m.add(title, err)
		return
	}
	*to = append(*to, chart{title, says, []key{{"ring", before}, {"circle", after}}, svg})
}

// pairsPlot has a line for each pair, from a ring before to a dot after.
func pairsPlot(pairs []pair) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text = "accuracy, %"
	p.Add(plotter.NewGrid())
	names := make([]string, len(pairs))
	var before, after plotter.XYs
	for i, of := range pairs {
		y := float64(len(pairs) - 1 - i) // the first on top
		names[len(pairs)-1-i] = of.name + " "
		a, b := plotter.XY{X: 100 * of.before, Y: y}, plotter.XY{X: 100 * of.after, Y: y}
		before, after = append(before, a), append(after, b)
		line, err := plotter.NewLine(plotter.XYs{a, b})
		if err != nil {
			return nil, err
		}
		line.Width, line.Color = vg.Points(2.5), report.RecoverColor
		if of.after < of.before {
			line.Color = report.FallColor
		}
		p.Add(line)
	}
	for _, s := range []struct {
		at    plotter.XYs
		glyph draw.GlyphStyle
	}{
		{before, draw.GlyphStyle{Color: report.OODColor, Radius: vg.Points(5), Shape: draw.RingGlyph{}}},
		{after, draw.GlyphStyle{Color: report.RecoverColor, Radius: vg.Points(3.5), Shape: draw.CircleGlyph{}}},
	} {
		dots, err := plotter.NewScatter(s.at)
		if err != nil {
			return nil, err
		}
		dots.GlyphStyle = s.glyph
		p.Add(dots)
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -.6, float64(len(pairs))-.4
	return p, nil
}
