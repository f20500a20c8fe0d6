package experiment

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"espalier/torch/disk"
)

var (
	seedColor = color.RGBA{R: 0x5b, G: 0x6f, B: 0x9a, A: 0xff}
	meanColor = color.RGBA{R: 0x2e, G: 0x7d, B: 0x5b, A: 0xff}
)

// WritePlot draws the first column as a PNG: a line for each setting, from the top down, with a ring for each seed and a dot with its 95 per
// cent interval for the mean.
func (r *Results) WritePlot(path string) error {
	settings := r.File.settingNames()
	column, err := columnOf(r.File.Columns[0])
	if err != nil {
		return err
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text = r.File.Title, column.Head
	p.Title.TextStyle.Font.Size, p.Title.Padding = vg.Points(14), vg.Points(8)
	p.Add(plotter.NewGrid())
	var seeds, means plotter.XYs
	var bars spans
	names := make([]string, len(settings))
	for i, setting := range settings {
		y := float64(len(settings) - 1 - i)
		names[len(settings)-1-i] = setting
		for _, v := range r.values(setting, column.Name) {
			seeds = append(seeds, plotter.XY{X: v, Y: y})
		}
		if s := r.summary(setting, column.Name); s.N > 0 {
			half := s.HalfWidth()
			if math.IsInf(half, 1) {
				half = 0
			}
			means = append(means, plotter.XY{X: s.Mean, Y: y})
			bars.XYs = append(bars.XYs, plotter.XY{X: s.Mean, Y: y})
			bars.XErrors = append(bars.XErrors, struct{ Low, High float64 }{half, half})
		}
	}
	if len(means) == 0 {
		return nil
	}
	lines, err := plotter.NewXErrorBars(bars)
	if err != nil {
		return fmt.Errorf("experiment: plot: %w", err)
	}
	lines.Color, lines.Width = meanColor, vg.Points(1.5)
	p.Add(lines)
	for _, s := range []struct {
		at    plotter.XYs
		name  string
		style draw.GlyphStyle
	}{
		{seeds, "a seed", draw.GlyphStyle{Color: seedColor, Radius: vg.Points(3.5), Shape: draw.RingGlyph{}}},
		{means, "mean, 95 %", draw.GlyphStyle{Color: meanColor, Radius: vg.Points(4), Shape: draw.CircleGlyph{}}},
	} {
		dots, err := plotter.NewScatter(s.at)
		if err != nil {
			return fmt.Errorf("experiment: plot: %w", err)
		}
		dots.GlyphStyle = s.style
		p.Add(dots)
		p.Legend.Add(s.name, dots)
	}
	p.Legend.Top, p.Legend.Left = false, true
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -1.3, float64(len(settings))-.3
	low, high := p.X.Min, p.X.Max
	if margin := .06 * (high - low); margin > 0 {
		p.X.Min, p.X.Max = low-margin, high+margin
	} else {
		p.X.Min, p.X.Max = low-1, high+1
	}
	img := vgimg.NewWith(vgimg.UseWH(7.5*vg.Inch, vg.Length(1.6+.34*float64(len(settings)))*vg.Inch), vgimg.UseDPI(144))
	p.Draw(draw.New(img))
	var out bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&out); err != nil {
		return fmt.Errorf("experiment: plot: %w", err)
	}
	return disk.Write(path, out.Bytes())
}

// spans are points with errors along x.
type spans struct {
	plotter.XYs
	plotter.XErrors
}
