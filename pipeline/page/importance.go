package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
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
	scores    []float64 // of blocks, in their order
	stayed    []bool
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
		if len(of.cut) == 0 {
			continue
		}
		p, err := of.plot()
		if err != nil {
			m.add("the importance of "+title, err)
			continue
		}
		svg, err := svgOf(p, smallWidth, smallHeight)
		if err != nil {
			m.add("the importance of "+title, err)
			continue
		}
		out.Charts = append(out.Charts, chart{title, says, []key{{"full", "stayed"}, {"outline", "cut"}}, svg})
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
		if a.Kind == nn.Blocks {
			for unit, score := range scores {
				_, stays := slices.BinarySearch(keep, unit)
				out[i].scores, out[i].stayed = append(out[i].scores, score), append(out[i].stayed, stays)
			}
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

// plot shows the scores: block by block, or how many units have which.
func (s *scored) plot() (*plot.Plot, error) {
	if len(s.scores) > 0 {
		return s.blockPlot()
	}
	return s.histogram()
}

// blockPlot has a bar for each block.
func (s *scored) blockPlot() (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "block", "importance"
	var ticks plot.ConstantTicks
	each := 1 + len(s.scores)/16
	for i, score := range s.scores {
		if err := addBox(p, float64(i)+.6, float64(i)+1.4, 0, score, s.stayed[i]); err != nil {
			return nil, err
		}
		t := plot.Tick{Value: float64(i + 1)}
		if i%each == 0 {
			t.Label = strconv.Itoa(i + 1)
		}
		ticks = append(ticks, t)
	}
	p.X.Tick.Marker = ticks
	p.Y.Min = min(0, p.Y.Min)
	return p, nil
}

// addBox fills what stayed, and outlines what was cut.
func addBox(p *plot.Plot, left, right, low, high float64, stayed bool) error {
	box, err := plotter.NewPolygon(plotter.XYs{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}})
	if err != nil {
		return err
	}
	box.LineStyle.Width, box.LineStyle.Color = vg.Points(1), report.FallColor
	if stayed {
		box.Color, box.LineStyle.Color = report.RecoverColor, report.RecoverColor
	}
	p.Add(box)
	return nil
}

// wholeTicks leaves out what counts cannot be.
type wholeTicks struct{}

func (wholeTicks) Ticks(low, high float64) (out []plot.Tick) {
	for _, t := range (shortTicks{}).Ticks(low, high) {
		if t.Value == math.Trunc(t.Value) {
			out = append(out, t)
		}
	}
	return out
}

const mostBins = 24

// histogram counts units by the power of ten of their score, what was cut on top of what stayed.
func (s *scored) histogram() (*plot.Plot, error) {
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
	for i := range bins {
		x, right := least+float64(i)*width, least+(float64(i)+.9)*width
		if kept[i] > 0 {
			if err := addBox(p, x, right, 0, kept[i], true); err != nil {
				return nil, err
			}
		}
		if cut[i] > 0 {
			if err := addBox(p, x, right, kept[i], kept[i]+cut[i], false); err != nil {
				return nil, err
			}
		}
	}
	p.Y.Min, p.Y.Tick.Marker = 0, wholeTicks{}
	return p, nil
}
