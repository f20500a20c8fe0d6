// Package target chooses the sizes of a student: from what it must be to how many blocks, heads and channels each tower keeps.
package target

import (
	"fmt"
	"math"
	"strings"

	"espalier/model"
	"espalier/pipeline/config"
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
	sizes   map[*nn.Param]int // bytes of an element in the student's checkpoint
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

	blocks map[string]int     // of each tower
	parts  map[string]float64 // parameters
}

// newSpace finds what the stages cut. What a stage's keep says stays at least.
func newSpace(cfg *config.Config, teacher model.Network, dtypes model.Dtypes) *space {
	s := &space{cfg: cfg, teacher: teacher, params: teacher.Store().Params(), sizes: map[*nn.Param]int{}, known: map[string]*Point{}}
	stored := cfg.ExportDtypes(dtypes)
	for _, p := range s.params {
		s.sizes[p] = stored[model.DtypeKey(p.Name)].Size()
	}
	for _, kind := range []nn.Kind{nn.Blocks, nn.Heads, nn.FFN, nn.Hidden} {
		stages := config.StagesOf(kind, cfg.Stages)
		if len(stages) == 0 {
			continue
		}
		for _, tower := range config.TowerNames {
			v := variable{tower: tower, kind: kind, stages: stages, step: 1}
			for _, a := range teacher.Store().Axes() {
				if a.Tower == tower && a.Kind == kind && (v.most == 0 || a.Units() < v.most) {
					v.most, v.step = a.Units(), a.Multiple()
					v.least = v.step
					if last := &cfg.Stages[stages[len(stages)-1]]; !last.Keep.Of(tower).Whole() {
						v.least = min(last.Target(a, v.most), v.most)
					}
				}
			}
			if v.most == 0 {
				continue
			}
			if kind == nn.FFN || kind == nn.Hidden {
				v.step = multipleFor(kind, v.most)
				v.least = min(max(v.least, 2*v.step), v.most)
			}
			s.vars = append(s.vars, v)
		}
	}
	return s
}

// multipleFor is what widths are a multiple of: as much as kernels like, and fine enough to meet a target.
func multipleFor(kind nn.Kind, most int) int {
	switch {
	case most >= 1024:
		return 16
	case most >= 256 || kind == nn.FFN:
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
			case nn.Heads:
				t.Heads = keep
			case nn.FFN:
				t.FFN = keep
			default:
				t.Units = keep
			}
		}
	}
	c.FitWidths(s.teacher)
	return c
}

// at is the student of a division.
func (s *space) at(units []int) *Point {
	key := fmt.Sprint(units)
	if p := s.known[key]; p != nil {
		return p
	}
	p := &Point{Units: append([]int(nil), units...)}
	s.known[key] = p
	left := s.left(units)
	p.parts, p.blocks = map[string]float64{}, map[string]int{}
	for _, param := range s.params {
		count := int64(param.CountWith(left))
		p.Parameters += count
		p.Bytes += count * int64(s.sizes[param])
		p.parts[param.Part] += float64(count)
	}
	p.LanguageBlocks = int64(p.parts["language_blocks"])
	for a, n := range left {
		if a.Kind == nn.Blocks {
			p.blocks[a.Tower] += n
		}
	}
	return p
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

// words says what a division keeps, tower by tower.
func (s *space) words(p *Point) string {
	left := map[string]int{}
	for a, n := range s.left(p.Units) { // the export may have changed the units
		left[a.Tower+string(a.Kind)] = n
	}
	var towers []string
	for _, tower := range config.TowerNames {
		var parts []string
		for _, v := range s.vars {
			if v.tower == tower {
				parts = append(parts, fmt.Sprintf(map[nn.Kind]string{nn.Blocks: "%d blocks", nn.Heads: "%d heads", nn.FFN: "FFN %d", nn.Hidden: "width %d"}[v.kind], left[tower+string(v.kind)]))
			}
		}
		if len(parts) > 0 {
			towers = append(towers, tower+" "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(towers, "; ")
}
