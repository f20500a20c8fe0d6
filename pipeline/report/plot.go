package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"espalier/torch/disk"
)

// The colours of plots. Shapes and places say the same: a plot can be read without colours.
var (
	FallColor    = color.RGBA{R: 0xc0, G: 0x5a, B: 0x3c, A: 0xff} // what a cut costs; a claim
	RecoverColor = color.RGBA{R: 0x2e, G: 0x7d, B: 0x5b, A: 0xff} // what is well again
	OODColor     = color.RGBA{R: 0x5b, G: 0x6f, B: 0x9a, A: 0xff} // what lies apart
	QuietColor   = color.RGBA{R: 0xa0, G: 0xa0, B: 0xa0, A: 0xff} // lines that lead the eye
	MarkColor    = color.RGBA{R: 0x60, G: 0x60, B: 0x60, A: 0xff} // lines that mark a place
)

func init() {
	plot.DefaultFont.Variant, plotter.DefaultFont.Variant = "Sans", "Sans"
}

// Over is what accuracy is drawn over.
type Over struct {
	Label string
	of    func(Model) float64 // 0: it was not measured
	tick  func(float64) string
}

// What accuracy can be drawn over: the number of parameters, and the latency of an answer.
var (
	OverSize    = Over{"parameters (from large to small)", func(m Model) float64 { return float64(m.Parameters) }, func(v float64) string { return rough(int64(v)) }}
	OverLatency = Over{"latency of one answer, ms (from slow to fast)", func(m Model) float64 { return m.LatencyMS.P50 }, milliseconds}
)

// WritePlot draws the run as a PNG: test accuracy over the number of parameters.
func (r *Report) WritePlot(path string) error {
	p, err := AccuracyPlot(r, OverSize)
	if err != nil {
		return err
	}
	p.Title.Text = fmt.Sprintf("%.1f times smaller, %.1f times faster: %.3f → %.3f",
		r.Ratio.Model, r.Ratio.LatencyP50, r.Teacher.Accuracy[Overall], r.Student.Accuracy[Overall])
	p.Title.TextStyle.Font.Size, p.Title.Padding = vg.Points(14), vg.Points(8)
	return writePNG(p, path)
}

// AccuracyPlot draws test accuracy over a measure, falling at each stage's last cut and recovering in its distillation. What was just
// cut has no latency and is left out there.
func AccuracyPlot(r *Report, over Over) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = over.Label, "accuracy"
	p.X.Scale = plot.InvertedScale{Normalizer: plot.LogScale{}}
	p.Legend.Left, p.Legend.Top = true, r.Teacher.Accuracy[Overall] < .4
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(12), vg.Points(12)
	p.Add(plotter.NewGrid())

	names, models := []string{"teacher"}, []Model{r.Teacher}
	for _, s := range r.Stages {
		names, models = append(names, s.Name), append(models, s.Distilled)
	}
	var trace, pruned, distilled, ood plotter.XYs
	for i, m := range models {
		at := over.of(m)
		if at <= 0 {
			return nil, fmt.Errorf("report: plot: %s has no %s", names[i], over.Label)
		}
		if i > 0 {
			if cut := r.Stages[i-1].Pruned; over.of(cut) > 0 {
				fallen := plotter.XY{X: over.of(cut), Y: cut.Accuracy[Overall]}
				trace, pruned = append(trace, fallen), append(pruned, fallen)
			}
		}
		trace, distilled = append(trace, plotter.XY{X: at, Y: m.Accuracy[Overall]}), append(distilled, plotter.XY{X: at, Y: m.Accuracy[Overall]})
		if len(m.OOD) > 0 {
			ood = append(ood, plotter.XY{X: at, Y: m.OOD[Overall]})
		}
	}
	line, err := plotter.NewLine(trace)
	if err != nil {
		return nil, fmt.Errorf("report: plot: %w", err)
	}
	line.Color, line.Width = QuietColor, vg.Points(1)
	p.Add(line)
	for _, s := range []struct {
		at    plotter.XYs
		name  string
		shape draw.GlyphDrawer
		color color.Color
	}{
		{pruned, "just cut", draw.BoxGlyph{}, FallColor}, {distilled, "distilled", draw.CircleGlyph{}, RecoverColor},
		{ood, "distilled, out of distribution", draw.TriangleGlyph{}, OODColor},
	} {
		if len(s.at) == 0 {
			continue
		}
		dots, err := plotter.NewScatter(s.at)
		if err != nil {
			return nil, fmt.Errorf("report: plot: %w", err)
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: s.color, Radius: vg.Points(4.5), Shape: s.shape}
		p.Add(dots)
		p.Legend.Add(s.name, dots)
	}
	if err := addLabels(p, distilled, names); err != nil {
		return nil, err
	}
	p.X.Tick.Marker = ticksOf(distilled, over.tick)
	if p.X.Min == p.X.Max { // nothing was cut
		p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	}
	p.Y.Min, p.Y.Max = 0, 1.05
	return p, nil
}

// addLabels puts names above points of an axis that runs from large to small, or below where one is near. The outermost names end at their points, so
// that none is cut off by the plot's edge, however long it is.
func addLabels(p *plot.Plot, at plotter.XYs, names []string) error {
	least, most := ends(at)
	above := map[int]bool{}
	for i, xy := range at {
		above[i] = true
		for j := range i {
			if above[j] && near(at[j].X, xy.X, least, most) {
				above[i] = false
			}
		}
		offset, align := vg.Points(9), text.YBottom
		if !above[i] {
			offset, align = vg.Points(-9), text.YTop
		}
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: at[i : i+1], Labels: names[i : i+1]})
		if err != nil {
			return fmt.Errorf("report: plot: %w", err)
		}
		style := &label.TextStyle[0]
		label.Offset.Y, style.YAlign, style.XAlign = offset, align, text.XCenter
		switch xy.X {
		case most:
			style.XAlign = text.XLeft
		case least:
			style.XAlign = text.XRight
		}
		p.Add(label)
	}
	return nil
}

func ends(at plotter.XYs) (least, most float64) {
	least, most = math.Inf(1), 0.
	for _, xy := range at {
		least, most = min(least, xy.X), max(most, xy.X)
	}
	return least, most
}

// near tells whether two labels would touch on an axis of powers.
func near(a, b, least, most float64) bool {
	const room = .12 // of the axis
	return math.Abs(math.Log(a/b)) < room*math.Log(most/least)
}

// ticksOf marks an axis at the networks' own places, with a label wherever the label before it is far enough.
func ticksOf(at plotter.XYs, label func(float64) string) (ticks plot.ConstantTicks) {
	least, most := ends(at)
	last := math.Inf(1)
	for _, xy := range at {
		t := plot.Tick{Value: xy.X}
		if !near(last, xy.X, least, most) {
			t.Label, last = label(xy.X), xy.X
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// writePNG draws a plot into a file.
func writePNG(p *plot.Plot, path string) error {
	img := vgimg.NewWith(vgimg.UseWH(7.5*vg.Inch, 4.2*vg.Inch), vgimg.UseDPI(144))
	p.Draw(draw.New(img))
	var out bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&out); err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	return disk.Write(path, out.Bytes())
}
