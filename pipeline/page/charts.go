package page

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
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
	SVG   template.HTML
}

// The size of a chart, in points, which are the pixels that a phone shows it in.
const chartWidth, chartHeight = 440, 280

// colours are the plots' colours as the page's style sheet names them, for light and dark.
var colours = strings.NewReplacer(
	"#000000", "currentColor", hex(report.FallColor.R, report.FallColor.G, report.FallColor.B), "var(--fall)",
	hex(report.RecoverColor.R, report.RecoverColor.G, report.RecoverColor.B), "var(--well)",
	hex(report.OODColor.R, report.OODColor.G, report.OODColor.B), "var(--apart)",
	hex(report.QuietColor.R, report.QuietColor.G, report.QuietColor.B), "var(--trace)",
	"#808080", "var(--trace)")

func hex(r, g, b uint8) string { return fmt.Sprintf("#%02X%02X%02X", r, g, b) }

var (
	svgHead = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	svgFont = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;?`)
	svgFill = regexp.MustCompile(`(fill|stroke):#[0-9A-F]{6}`)
)

// svgOf draws a plot as a part of the page: without a namespace, in the page's font and colours, as wide as its place.
func svgOf(p *plot.Plot, width, height vg.Length) (template.HTML, error) {
	p.BackgroundColor = nil
	for _, style := range []*draw.TextStyle{&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Size = vg.Points(11)
	}
	p.Legend.Padding = vg.Points(3)
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

// missing are the parts that are left out, each with the reason.
type missing []string

func (m *missing) add(what string, err error) {
	*m = append(*m, fmt.Sprintf("report.html is without %s: %v", what, err))
}

// draw adds a chart, or notes that it cannot be drawn.
func (m *missing) draw(to *[]chart, title, says string, p *plot.Plot, err error) {
	var svg template.HTML
	if err == nil {
		svg, err = svgOf(p, chartWidth, chartHeight)
	}
	if err != nil {
		m.add("the chart of "+strings.ToLower(title), err)
		return
	}
	*to = append(*to, chart{Title: title, Says: says, SVG: svg})
}

func accuracyCharts(m *missing, r *report.Report) (out []chart) {
	says := fmt.Sprintf("the teacher's accuracy and those after each stage, %s: the figures are in the table below", r.Student.Line())
	p, err := r.AccuracyPlot(report.OverSize)
	m.draw(&out, "Accuracy over size", says, p, err)
	p, err = r.AccuracyPlot(report.OverLatency)
	m.draw(&out, "Accuracy over latency", says, p, err)
	return out
}
