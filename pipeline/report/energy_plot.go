package report

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// WritePlot draws the year as a PNG: how far the saving moves with each input from its low to its high end, the widest on top.
func (y *Year) WritePlot(path string) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s kWh a year saved, modelled; joules %s; claim %s kWh", threeDigits(y.Saved), y.Basis, threeDigits(y.Claim))
	p.Title.TextStyle.Font.Size = vg.Points(13)
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = "kWh a year saved with one input at its low and its high end, the others at their bases"
	ends := []float64{y.Claim, y.Saved}
	for _, in := range y.Inputs {
		ends = append(ends, in.SavedLow, in.SavedHigh)
	}
	if slices.Min(ends) > 0 {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	p.Add(plotter.NewGrid())

	inputs := slices.SortedStableFunc(slices.Values(y.Inputs), func(a, b Input) int {
		return cmp.Compare(math.Abs(a.SavedHigh-a.SavedLow), math.Abs(b.SavedHigh-b.SavedLow))
	})
	names := make([]string, len(inputs))
	var labels plotter.XYLabels
	for i, in := range inputs {
		names[i] = in.Name
		at := float64(i)
		for _, side := range []struct {
			saved, value float64
			color        color.Color
		}{{in.SavedLow, in.Low, oodColor}, {in.SavedHigh, in.High, recoverColor}} {
			if err := bar(p, y.Saved, side.saved, at, 12, side.color); err != nil {
				return err
			}
			labels.XYs = append(labels.XYs, plotter.XY{X: side.saved, Y: at})
			labels.Labels = append(labels.Labels, threeDigits(side.value))
		}
	}
	texts, err := plotter.NewLabels(labels)
	if err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	texts.Offset = vg.Point{Y: vg.Points(8)}
	for i := range texts.TextStyle {
		texts.TextStyle[i].XAlign = draw.XCenter
		texts.TextStyle[i].Font.Size = vg.Points(9)
	}
	top := float64(len(inputs)) - .3
	for _, line := range []struct {
		at    float64
		name  string
		color color.Color
	}{{y.Saved, "all at base", color.Gray{Y: 0x60}}, {y.Claim, "claim", fallColor}} {
		l, err := plotter.NewLine(plotter.XYs{{X: line.at, Y: -.6}, {X: line.at, Y: top}})
		if err != nil {
			return fmt.Errorf("report: plot: %w", err)
		}
		l.Color, l.Width, l.Dashes = line.color, vg.Points(1.5), []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(l)
		p.Legend.Add(line.name, l)
	}
	p.Add(texts)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -.6, top
	p.Legend.Top, p.Legend.Left = false, false
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(-8), vg.Points(8)
	return writePNG(p, path)
}

// bar draws a thick line from one value to another.
func bar(p *plot.Plot, from, to, at float64, points float64, c color.Color) error {
	l, err := plotter.NewLine(plotter.XYs{{X: from, Y: at}, {X: to, Y: at}})
	if err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	l.Color, l.Width = c, vg.Points(points)
	p.Add(l)
	return nil
}
