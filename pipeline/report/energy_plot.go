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

// WritePlot draws the year as a PNG.
func (y *Year) WritePlot(path string) error {
	p, err := y.Plot()
	if err != nil {
		return err
	}
	p.Title.Text = fmt.Sprintf("%s kWh a year saved, modelled; joules %s; claim %s kWh", threeDigits(y.Saved), y.Basis, threeDigits(y.Claim))
	p.Title.TextStyle.Font.Size, p.Title.Padding = vg.Points(13), vg.Points(8)
	return writePNG(p, path)
}

// Plot draws how far the saving moves with each input from its low to its high end, the widest on top.
func (y *Year) Plot() (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text = "kWh, one input at an end" // short: plot leaves too much room for a long one on a logarithmic axis
	ends := []float64{y.Claim, y.Saved}
	for _, in := range y.Inputs {
		ends = append(ends, in.SavedLow, in.SavedHigh)
	}
	low, high := slices.Min(ends), slices.Max(ends)
	if low > 0 {
		low, high = low/2, high*2 // room for the ends' values
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades(low, high)
	} else {
		low, high = low-.1*(high-low), high+.1*(high-low)
	}
	p.Add(plotter.NewGrid())

	inputs := slices.SortedStableFunc(slices.Values(y.Inputs), func(a, b Input) int {
		return cmp.Compare(math.Abs(a.SavedHigh-a.SavedLow), math.Abs(b.SavedHigh-b.SavedLow))
	})
	names := make([]string, len(inputs))
	p.X.Min, p.X.Max = low, high
	for i, in := range inputs {
		names[i] = " " + in.Name // plot takes names for a little narrower than they are
		for _, side := range []struct {
			saved, value float64
			color        color.Color
		}{{in.SavedLow, in.Low, OODColor}, {in.SavedHigh, in.High, RecoverColor}} {
			if side.value == in.Base {
				continue
			}
			if err := bar(p, plotter.XYs{{X: y.Saved, Y: float64(i)}, {X: side.saved, Y: float64(i)}}, side.color, threeDigits(side.value)); err != nil {
				return nil, err
			}
		}
	}
	top := float64(len(inputs)) - .3
	for _, line := range []struct {
		at     float64
		name   string
		color  color.Color
		dashes []vg.Length
	}{{y.Saved, "all at base", MarkColor, []vg.Length{vg.Points(4), vg.Points(3)}}, {y.Claim, "claim", FallColor, nil}} {
		l, err := plotter.NewLine(plotter.XYs{{X: line.at, Y: -.6}, {X: line.at, Y: top}})
		if err != nil {
			return nil, fmt.Errorf("report: plot: %w", err)
		}
		l.Color, l.Width, l.Dashes = line.color, vg.Points(1.5), line.dashes
		p.Add(l)
		p.Legend.Add(line.name, l)
	}
	p.NominalY(names...)
	p.Y.Padding = vg.Points(12)
	p.Y.Min, p.Y.Max = -.6, top
	p.Legend.Top, p.Legend.Left = false, true
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(16), vg.Points(12)
	return p, nil
}

// bar draws a thick line, and a text beyond its end.
func bar(p *plot.Plot, along plotter.XYs, c color.Color, text string) error {
	line, err := plotter.NewLine(along)
	if err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	line.Color, line.Width = c, vg.Points(12)
	label, err := plotter.NewLabels(plotter.XYLabels{XYs: along[1:], Labels: []string{text}})
	if err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	label.TextStyle[0].Font.Size, label.TextStyle[0].YAlign = vg.Points(9), draw.YCenter
	label.Offset.X = vg.Points(3)
	if along[1].X < along[0].X {
		label.TextStyle[0].XAlign, label.Offset.X = draw.XRight, vg.Points(-3)
	}
	p.Add(line, label)
	return nil
}

// mostDecades is how many labels of powers of ten have room.
const mostDecades = 5

// decades marks the powers of ten between two values.
func decades(low, high float64) (ticks plot.ConstantTicks) {
	first, last := math.Ceil(math.Log10(low)), math.Floor(math.Log10(high))
	each := math.Ceil((last - first + 1) / mostDecades)
	for e := first; e <= last; e++ {
		t := plot.Tick{Value: math.Pow(10, e)}
		if math.Mod(e-first, each) == 0 {
			if t.Label = threeDigits(t.Value); t.Value >= 1e3 {
				t.Label = rough(int64(t.Value))
			}
		}
		ticks = append(ticks, t)
	}
	return ticks
}
