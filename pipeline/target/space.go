// Package target chooses the sizes of a student: from what it must be to how many blocks, heads and channels each tower keeps.
package target

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/torch"
	"espalier/torch/nn"
)

// variable is one number that a division chooses: how many units of a kind each layer of a tower keeps.
type variable struct {
	tower             string
	kind              nn.Kind
	stages            []int // that cut it, in their order
	most, least, step int
}

// space is all divisions that a run's stages can make of a network.
type space struct {
	cfg     *config.Config
	teacher model.Network
	params  []*nn.Param
	stored  map[*nn.Param]torch.DType // in the student's checkpoint
	vars    []variable
	known   map[string]*Point
}

// Point is a division, and the student that it makes.
type Point struct {
	Name           string // what it favours
	Units          []int  // of each variable
	Parameters     int64
	LanguageBlocks int64
	Bytes          int64
	LatencyMS      float64 // predicted; 0 where the device was not measured

	blocks  map[string]int     // of each tower
	parts   map[string]float64 // parameters
	queries float64            // the share of the query tokens that stay
}

// newSpace finds what the stages cut. What a stage's keep says stays at least.
func newSpace(cfg *config.Config, teacher model.Network, dtypes model.Dtypes) *space {
	s := &space{cfg: cfg, teacher: teacher, params: teacher.Store().Params(), stored: map[*nn.Param]torch.DType{}, known: map[string]*Point{}}
	stored := cfg.ExportDtypes(dtypes)
	for _, p := range s.params {
		s.stored[p] = stored[model.DtypeKey(p.Name)]
	}
	for _, kind := range kinds {
		stages := stagesOf(kind, cfg.Stages)
		if len(stages) == 0 {
			continue
		}
		for _, tower := range config.TowerNames {
			if v := s.variable(kind, tower, stages); v.most > 0 {
				s.vars = append(s.vars, v)
			}
		}
	}
	return s
}

// variable is how many units of a kind a tower keeps, from the bound that the stages' keep sets; of none where nothing can be chosen.
func (s *space) variable(kind nn.Kind, tower string, stages []int) variable {
	v := variable{tower: tower, kind: kind, stages: stages}
	if kind == nn.KeySize && s.cfg.Export.Format == config.FormatTransformers && config.HeadRuleOf(s.teacher, tower) == config.WholeHeads {
		return v
	}
	last := &s.cfg.Stages[stages[len(stages)-1]]
	bound := !last.Keep.Of(tower).Whole() || kind == nn.Queries && !last.Keep.Queries.Whole()
	for _, a := range s.teacher.Store().Axes() {
		most := a.Each()
		if kind == nn.KeySize {
			most *= a.Block() // in dimensions: rotary positions pair them
		}
		if a.Tower != tower || a.Kind != kind || most <= v.most { // of T5's two stacks the taller one counts: the other keeps what it has
			continue
		}
		v.most, v.step = most, multipleFor(a, most)
		v.least = v.step
		if kind == nn.FFN || kind == nn.Hidden || kind == nn.KeySize {
			v.least = min(2*v.step, most)
		}
		if bound {
			v.least = max(v.least, min(last.Target(a, a.Each())*most/a.Each(), most))
		}
	}
	return v
}

// kinds are the kinds of unit that are chosen, in the order in which a division names them.
var kinds = []nn.Kind{nn.Queries, nn.Blocks, nn.Heads, nn.KeySize, nn.FFN, nn.Hidden}

// stagesOf are the stages, by number, that cut a kind. Query tokens are cut by stages that say so, or that are there for tokens.
func stagesOf(kind nn.Kind, stages []config.StageConfig) (numbers []int) {
	switch kind {
	case nn.KeySize:
		return config.StagesOf(nn.Heads, stages)
	case nn.Queries:
		for i, s := range stages {
			if s.Name == "tokens" || !s.Keep.Queries.Whole() {
				numbers = append(numbers, i)
			}
		}
		return numbers
	}
	return config.StagesOf(kind, stages)
}

// multipleFor is what units of an axis come in: widths as kernels like them, and fine enough to meet a target.
func multipleFor(a *nn.Axis, most int) int {
	switch {
	case a.Kind == nn.KeySize:
		return min(4, most)
	case a.Kind != nn.FFN && a.Kind != nn.Hidden:
		return a.Multiple()
	case most >= 1024:
		return 16
	case most >= 256 || a.Kind == nn.FFN:
		return 8
	}
	return 4
}

// config is the run's configuration with a division in place of what its stages keep.
func (s *space) config(units []int) *config.Config {
	c := s.cfg.Clone()
	for i, v := range s.vars {
		for k, at := range v.stages {
			keep := config.Keep{Units: config.Between(v.most, units[i], k+1, len(v.stages), v.step)}
			t := c.Stages[at].Keep.Of(v.tower)
			switch v.kind {
			case nn.Queries:
				c.Stages[at].Keep.Queries = keep
			case nn.Heads:
				t.Heads = keep
			case nn.KeySize:
				if t.HeadSize = (config.Keep{}); keep.Units < v.most { // a size that stays whole needs no scores
					t.HeadSize = keep
				}
			case nn.FFN:
				t.FFN = keep
			default:
				t.Units = keep
			}
		}
	}
	if c.Export.Format == config.FormatTransformers {
		fitHeads(s, c, units)
		c.FitWidths(s.teacher)
	}
	return c
}

// deepen gives each stage of a division's configuration as many cuts as its depth takes. The search does not need them: what stays in
// the end is the same.
func deepen(c *config.Config, vars []variable, units []int) {
	for i := range c.Stages {
		stage := &c.Stages[i]
		stage.Cuts = max(stage.Cuts, min(cuts(vars, units, i), stage.Distil.Steps/fewestSteps))
	}
}

// gentle is to what share of its units a kind goes down in one cut: what goes at once cannot be won back in a few hundred steps
// (docs/decisions.md). Heads and their sizes count as one.
var gentle = map[nn.Kind]float64{nn.Queries: .4, nn.Blocks: .4, nn.Heads: .4, nn.FFN: .3, nn.Hidden: .65}

// fewestSteps is how many steps of distillation a cut has at least.
const fewestSteps = 40

// cuts is in how many cuts a stage makes its part of a division.
func cuts(vars []variable, units []int, stage int) int {
	type part struct {
		tower string
		kind  nn.Kind
	}
	squeeze := map[part]float64{} // logarithms
	for i, v := range vars {
		if !slices.Contains(v.stages, stage) {
			continue
		}
		of := part{v.tower, v.kind}
		if v.kind == nn.KeySize {
			of.kind = nn.Heads
		}
		squeeze[of] += math.Log(float64(units[i])/float64(v.most)) / float64(len(v.stages))
	}
	n := 1
	for of, ln := range squeeze {
		n = max(n, int(math.Ceil(ln/math.Log(gentle[of.kind])-.01)))
	}
	return n
}

// at is the student of a division.
func (s *space) at(units []int) *Point {
	key := fmt.Sprint(units)
	if p := s.known[key]; p != nil {
		return p
	}
	p := s.count(s.left(units))
	p.Units = append([]int(nil), units...)
	s.known[key] = p
	return p
}

// uncut is the teacher. The whole division is smaller where a stage's keep.vocabulary says so.
func (s *space) uncut() *Point {
	left := s.left(s.whole())
	maps.DeleteFunc(left, func(a *nn.Axis, _ int) bool { return a.Kind == nn.Vocabulary })
	return s.count(left)
}

// count is the student with so many units of each axis.
func (s *space) count(left map[*nn.Axis]int) *Point {
	p := &Point{}
	p.parts, p.blocks = map[string]float64{}, map[string]int{}
	for _, param := range s.params {
		count := int64(param.CountWith(left))
		p.Parameters += count
		p.Bytes += bytesOf(param, s.stored[param], count, left)
		p.parts[param.Part] += float64(count)
	}
	p.LanguageBlocks, p.queries = int64(p.parts["language_blocks"]), 1
	for a, n := range left {
		if a.Kind == nn.Queries {
			p.queries = float64(n) / float64(a.Units())
		}
		if a.Kind == nn.Blocks {
			p.blocks[a.Tower] += n
		}
	}
	return p
}

// bytesOf is the size in the student's checkpoint of a parameter that has so many elements with so many units of each axis.
func bytesOf(p *nn.Param, dtype torch.DType, count int64, left map[*nn.Axis]int) int64 {
	if dtype != torch.Int8 || count == 0 {
		return count * int64(dtype.Size())
	}
	shape := make([]int, len(p.Dims))
	for i, d := range p.Dims {
		shape[i] = d.SizeWith(left)
	}
	rows := int64(torch.Int8Rows(shape))
	if rows == 0 { // what int8 leaves as float32
		return 4 * count
	}
	return count + 4*rows
}

// depth is the number of blocks of all towers.
func (p *Point) depth() (n int) {
	for _, blocks := range p.blocks {
		n += blocks
	}
	return n
}

// left is how many units of each axis a division leaves.
func (s *space) left(units []int) map[*nn.Axis]int {
	return s.config(units).Stages.Left(s.teacher)
}

// whole is the division that cuts nothing.
func (s *space) whole() []int {
	units := make([]int, len(s.vars))
	for i, v := range s.vars {
		units[i] = v.most
	}
	return units
}

// least is the smallest division.
func (s *space) least() []int {
	units := make([]int, len(s.vars))
	for i, v := range s.vars {
		units[i] = v.least
	}
	return units
}

// rounded is a number of units that the variable can have.
func (v variable) rounded(units float64) int {
	return min(v.most, max(v.least, int(math.Round(units/float64(v.step)))*v.step))
}

// kept says how many units of a kind stay, behind those named before.
var kept = map[nn.Kind]string{nn.Queries: ", %d queries", nn.Blocks: ", %d blocks", nn.Heads: ", %d heads", nn.KeySize: " of %d", nn.FFN: ", FFN %d", nn.Hidden: ", width %d"}

// words says what a division keeps, tower by tower.
func (s *space) words(p *Point) string {
	left := map[string]int{}
	for i, v := range s.vars {
		left[v.tower+string(v.kind)] = p.Units[i]
	}
	for a, n := range s.left(p.Units) { // the export may have changed the units
		if a.Kind == nn.KeySize {
			n *= a.Block()
		}
		left[a.Tower+string(a.Kind)] = n
	}
	var towers []string
	for _, tower := range config.TowerNames {
		text := ""
		for _, v := range s.vars {
			if v.tower == tower {
				text += fmt.Sprintf(kept[v.kind], left[tower+string(v.kind)])
			}
		}
		if text != "" {
			towers = append(towers, tower+strings.TrimPrefix(text, ","))
		}
	}
	return strings.Join(towers, "; ")
}
