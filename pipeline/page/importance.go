package page

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"espalier/model"
	"espalier/pipeline/report"
	"espalier/torch/nn"
)

// scored are the scores of the units of one kind in one tower, and which of them stayed.
type scored struct {
	tower     string
	kind      nn.Kind
	kept, cut []float64
}

// importance are the histograms of a stage.
type importance struct {
	Stage  string
	Note   string
	Charts []chart
}

// smallWidth and smallHeight are the size of a histogram, in points.
const smallWidth, smallHeight = 280, 180

// importanceOf draws the scores behind a stage's first cut; n is the network that it began with.
func importanceOf(m *missing, s made, criterion string, n model.Network) *importance {
	first := s.Cuts[0]
	if len(first.Scores) == 0 {
		return nil
	}
	out := &importance{Stage: s.Stage, Note: fmt.Sprintf("criterion %s", criterion)}
	if len(s.Cuts) > 1 {
		out.Note += fmt.Sprintf(", cut 1 of %d", len(s.Cuts))
	}
	for _, of := range scoredOf(first, n) {
		title := of.tower + ": " + words(of.kind)
		says := fmt.Sprintf("%d units stayed and %d were cut", len(of.kept), len(of.cut))
		p, err := importancePlot(of)
		if err != nil {
			m.add("the importance of "+title, err)
			continue
		}
		svg, err := svgOf(p, smallWidth, smallHeight)
		if err != nil {
			m.add("the importance of "+title, err)
			continue
		}
		out.Charts = append(out.Charts, chart{title, says, svg})
	}
	if len(out.Charts) == 0 {
		return nil
	}
	return out
}

// words is what the page calls the units of a kind.
func words(kind nn.Kind) string {
	switch kind {
	case nn.Hidden:
		return "width"
	case nn.KeySize:
		return "head dimensions of keys"
	case nn.ValueSize:
		return "head dimensions of values"
	case nn.FFN:
		return "FFN units"
	case nn.Queries:
		return "query tokens"
	}
	return strings.ReplaceAll(string(kind), "_", " ")
}

// scoredOf puts the layers of a tower together, in the order in which the network declares them.
func scoredOf(c cutMade, n model.Network) (out []*scored) {
	for _, a := range n.Store().Axes() {
		scores, keep := c.Scores[a.Name], c.Keep[a.Name]
		if len(scores) == 0 || keep == nil {
			continue
		}
		i := slices.IndexFunc(out, func(s *scored) bool { return s.tower == a.Tower && s.kind == a.Kind })
		if i < 0 {
			i = len(out)
			out = append(out, &scored{tower: a.Tower, kind: a.Kind})
		}
		for unit, score := range scores {
			if _, stays := slices.BinarySearch(keep, unit); stays {
				out[i].kept = append(out[i].kept, score)
			} else {
				out[i].cut = append(out[i].cut, score)
			}
		}
	}
	return out
}

const mostBins = 24

// importancePlot counts units by the power of ten of their score: filled what stayed, outlined what was cut.
func importancePlot(s *scored) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "importance, log10", "units"
	all := slices.Concat(s.kept, s.cut)
	least, most := math.Inf(1), math.Inf(-1)
	for _, v := range all {
		if v > 0 {
			least, most = min(least, math.Log10(v)), max(most, math.Log10(v))
		}
	}
	if least > most { // all are nothing
		least, most = -1, 0
	}
	if most-least < .2 {
		least, most = least-.1, most+.1
	}
	bins := min(mostBins, max(8, len(all)/3))
	width := (most - least) / float64(bins)
	count := func(scores []float64) []float64 {
		out := make([]float64, bins)
		for _, v := range scores {
			at := 0
			if v > 0 {
				at = min(bins-1, max(0, int((math.Log10(v)-least)/width)))
			}
			out[at]++
		}
		return out
	}
	kept, cut := count(s.kept), count(s.cut)
	for _, of := range []struct {
		name   string
		counts []float64
		below  []float64 // what the bars stand on
		filled bool
	}{{"stayed", kept, make([]float64, bins), true}, {"cut", cut, kept, false}} {
		var sample *plotter.Polygon
		for i, n := range of.counts {
			if n == 0 {
				continue
			}
			x, y := least+float64(i)*width, of.below[i]
			box, err := plotter.NewPolygon(plotter.XYs{{X: x, Y: y}, {X: x + .9*width, Y: y}, {X: x + .9*width, Y: y + n}, {X: x, Y: y + n}})
			if err != nil {
				return nil, err
			}
			box.LineStyle.Width, box.LineStyle.Color = vg.Points(1), report.RecoverColor
			if of.filled {
				box.Color = report.RecoverColor
			} else {
				box.LineStyle.Color = report.FallColor
			}
			p.Add(box)
			sample = box
		}
		if sample != nil {
			p.Legend.Add(of.name, sample)
		}
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Y.Min = 0
	p.Y.Max *= 1.35 // room for the legend
	return p, nil
}
