package page

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"espalier/pipeline/report"
)

// chart is a picture of figures that also stand in a table.
type chart struct {
	Title string
	Says  string // what can be seen, for those who cannot see it
	Keys  []key
	SVG   template.HTML
}

// key says what a shape or a line of a chart stands for.
type key struct{ Shape, Name string }

// The size of a chart, in points, which are the pixels that a phone shows it in.
const chartWidth, chartHeight = 360, 240

// colours are the plots' colours as the page's style sheet names them, for light and dark.
var colours = strings.NewReplacer(
	"#000000", "currentColor", hex(report.FallColor.R, report.FallColor.G, report.FallColor.B), "var(--fall)",
	hex(report.RecoverColor.R, report.RecoverColor.G, report.RecoverColor.B), "var(--well)",
	hex(report.OODColor.R, report.OODColor.G, report.OODColor.B), "var(--apart)",
	hex(report.QuietColor.R, report.QuietColor.G, report.QuietColor.B), "var(--trace)",
	hex(report.MarkColor.R, report.MarkColor.G, report.MarkColor.B), "var(--quiet)", "#808080", "var(--trace)")

func hex(r, g, b uint8) string { return fmt.Sprintf("#%02X%02X%02X", r, g, b) }

var (
	svgHead = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	svgFont = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;?`)
	svgFill = regexp.MustCompile(`(fill|stroke):#[0-9A-F]{6}`)
)

// svgOf draws a plot as a part of the page: without a namespace, in the page's font and colours, as wide as its place.
func svgOf(p *plot.Plot, width, height vg.Length) (template.HTML, error) {
	p.BackgroundColor = nil
	p.Legend = plot.NewLegend() // the page has keys, which cover nothing
	for _, style := range []*draw.TextStyle{&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Size = vg.Points(11)
	}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		if _, plain := axis.Tick.Marker.(plot.DefaultTicks); plain {
			axis.Tick.Marker = shortTicks{}
		}
	}
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	text := svgHead.ReplaceAllString(out.String(), fmt.Sprintf(`<svg viewBox="0 0 %g %g" aria-hidden="true" focusable="false">`, width.Points(), height.Points()))
	text = svgFont.ReplaceAllString(text, "")
	text = svgFill.ReplaceAllStringFunc(text, func(s string) string { return colours.Replace(s) })
	return template.HTML(text), nil
}

// shortTicks are the usual ticks with numbers as short as they can be.
type shortTicks struct{}

func (shortTicks) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = strings.Replace(strconv.FormatFloat(t.Value, 'g', 4, 64), "-", "−", 1)
		}
	}
	return ticks
}

// missing are the parts that are left out, each with the reason.
type missing []string

func (m *missing) add(what string, err error) {
	*m = append(*m, fmt.Sprintf("report.html is without %s: %v", what, err))
}

// draw adds a chart, or notes that it cannot be drawn.
func (m *missing) draw(to *[]chart, title, says string, keys []key, p *plot.Plot, err error) {
	var svg template.HTML
	if err == nil {
		svg, err = svgOf(p, chartWidth, chartHeight)
	}
	if err != nil {
		m.add("the chart of "+strings.ToLower(title), err)
		return
	}
	*to = append(*to, chart{title, says, keys, svg})
}

func accuracyCharts(m *missing, r *report.Report) (out []chart) {
	says := fmt.Sprintf("the teacher's accuracy and those after each stage, %s: the figures are in the table below", r.Student.Line())
	var keys []key
	if len(r.Stages) > 0 {
		keys = append(keys, key{"box", "just cut"})
	}
	after := []key{{"circle", "distilled"}}
	if r.Teacher.OOD != nil {
		after = append(after, key{"triangle", "distilled, out of distribution"})
	}
	p, err := report.AccuracyPlot(r, report.OverSize)
	m.draw(&out, "Accuracy over size", says, append(keys, after...), p, err)
	p, err = report.AccuracyPlot(r, report.OverLatency)
	m.draw(&out, "Accuracy over latency", says, after, p, err)
	return out
}
