package report

import (
	"bytes"
	"espalier/torch/disk"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

var (
	fallColor    = color.RGBA{R: 0xc0, G: 0x5a, B: 0x3c, A: 0xff}
	recoverColor = color.RGBA{R: 0x2e, G: 0x7d, B: 0x5b, A: 0xff}
	oodColor     = color.RGBA{R: 0x5b, G: 0x6f, B: 0x9a, A: 0xff}
)

// WritePlot draws the run as a PNG: test accuracy over the number of parameters, falling at each stage's last cut and
// recovering in its distillation.
func (r *Report) WritePlot(path string) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%.1f times smaller, %.1f times faster: %.3f → %.3f",
		r.Ratio.Model, r.Ratio.LatencyP50, r.Teacher.Accuracy[Overall], r.Student.Accuracy[Overall])
	p.Title.TextStyle.Font.Size = vg.Points(14)
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = "parameters, thousands (from large to small)", "accuracy"
	p.X.Scale, p.X.Tick.Marker = plot.InvertedScale{Normalizer: plot.LogScale{}}, sizeTicks(r)
	p.Y.Min, p.Y.Max = 0, 1
	p.Legend.Top, p.Legend.Left = false, true
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(12), vg.Points(12)
	p.Add(plotter.NewGrid())

	trace := plotter.XYs{point(r.Teacher)}
	ood := plotter.XYs{}
	if len(r.Teacher.OOD) > 0 {
		ood = append(ood, plotter.XY{X: thousands(r.Teacher), Y: r.Teacher.OOD[Overall]})
	}
	pruned, distilled := plotter.XYs{}, plotter.XYs{point(r.Teacher)}
	labels := plotter.XYLabels{XYs: plotter.XYs{point(r.Teacher)}, Labels: []string{"teacher"}}
	for _, s := range r.Stages {
		trace = append(trace, point(s.Pruned), point(s.Distilled))
		pruned, distilled = append(pruned, point(s.Pruned)), append(distilled, point(s.Distilled))
		labels.XYs, labels.Labels = append(labels.XYs, point(s.Distilled)), append(labels.Labels, s.Name)
		if len(s.Distilled.OOD) > 0 {
			ood = append(ood, plotter.XY{X: thousands(s.Distilled), Y: s.Distilled.OOD[Overall]})
		}
	}
	line, err := plotter.NewLine(trace)
	if err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	line.Color, line.Width = color.Gray{Y: 0xa0}, vg.Points(1)
	p.Add(line)
	for _, s := range []struct {
		at    plotter.XYs
		name  string
		shape draw.GlyphDrawer
		color color.Color
	}{
		{pruned, "just cut", draw.BoxGlyph{}, fallColor}, {distilled, "distilled", draw.CircleGlyph{}, recoverColor},
		{ood, "distilled, out of distribution", draw.TriangleGlyph{}, oodColor},
	} {
		if len(s.at) == 0 {
			continue
		}
		dots, err := plotter.NewScatter(s.at)
		if err != nil {
			return fmt.Errorf("report: plot: %w", err)
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: s.color, Radius: vg.Points(4.5), Shape: s.shape}
		p.Add(dots)
		p.Legend.Add(s.name, dots)
	}
	names, err := plotter.NewLabels(labels)
	if err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	names.Offset = vg.Point{X: vg.Points(-10), Y: vg.Points(9)}
	p.Add(names)
	p.Y.Max = 1.05
	p.X.Min *= .92 // room for the last name
	return writePNG(p, path)
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

func thousands(m Model) float64 { return float64(m.Parameters) / 1e3 }

func point(m Model) plotter.XY { return plotter.XY{X: thousands(m), Y: m.Accuracy[Overall]} }

// sizeTicks marks the axis at the networks' own sizes.
func sizeTicks(r *Report) plot.ConstantTicks {
	ticks := plot.ConstantTicks{{Value: thousands(r.Teacher), Label: fmt.Sprintf("%.0f", thousands(r.Teacher))}}
	for _, s := range r.Stages {
		v := thousands(s.Distilled)
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v)})
	}
	return ticks
}
