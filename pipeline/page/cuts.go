package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"espalier/model"
	"espalier/torch/nn"
)

// tower is the map of what was cut of a tower.
type tower struct {
	Name   string
	Widths []strip // that all of the tower shares
	Stacks []stack
}

// stack are blocks, one behind the other.
type stack struct {
	Name   string // where a tower has several
	Kept   int
	Blocks []block
	Heads  []string // of the columns of parts
}

// block is a block of the teacher, and what is left of it.
type block struct {
	Number int
	CutIn  string  // the stage; empty where it stayed
	Parts  []strip // of one that stayed
}

// strip is the units of one axis: filled what stayed, empty what was cut.
type strip struct {
	Name     string
	Kept, Of int
	Width    int
	Marks    []mark
}

// mark is a path of cells that are filled alike.
type mark struct {
	Path  string
	Level int // of 4: how much of the cells stayed
}

// mapOf makes the map from the teacher to the student that the cuts of the stages made.
func mapOf(teacher model.Network, stages []made) ([]tower, error) {
	o := newOrigins(teacher)
	for _, s := range stages {
		for _, c := range s.Cuts {
			if err := o.cut(s.Stage, c.Keep); err != nil {
				return nil, fmt.Errorf("stage %s: %w", s.Stage, err)
			}
		}
	}
	o.finish(teacher)
	var towers []tower
	at := func(name string) *tower {
		i := slices.IndexFunc(towers, func(t tower) bool { return t.Name == name })
		if i < 0 {
			i = len(towers)
			towers = append(towers, tower{Name: name})
		}
		return &towers[i]
	}
	for _, a := range teacher.Store().Axes() {
		if a.Tower == "" {
			continue
		}
		t := at(a.Tower)
		inner, _ := a.Layer()
		switch {
		case a.Kind == nn.Blocks:
			t.Stacks = append(t.Stacks, stackOf(teacher, a, o))
		case inner == nil && a.Kind != nn.KeySize && a.Kind != nn.ValueSize && a.Kind != nn.Channels && a.Kind != nn.Embeddings:
			t.Widths = append(t.Widths, stripOf(words(a.Kind), o.left[a.Name], a.Units()))
		}
	}
	order := []string{"vision", "qformer", "language"}
	slices.SortStableFunc(towers, func(a, b tower) int { return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name)) })
	for i := range towers {
		if len(towers[i].Stacks) < 2 {
			for j := range towers[i].Stacks {
				towers[i].Stacks[j].Name = ""
			}
		}
	}
	return towers, nil
}

func stackOf(teacher model.Network, blocks *nn.Axis, o *origins) stack {
	out := stack{Name: strings.ReplaceAll(blocks.Name, "_", " "), Kept: len(o.left[blocks.Name])}
	for i := range blocks.Units() {
		b := block{Number: i + 1, CutIn: o.cutIn[blockOf{blocks.Name, i}]}
		if b.CutIn == "" {
			b.Parts = partsOf(teacher, blocks, i, o)
			for _, p := range b.Parts {
				if !slices.Contains(out.Heads, p.Name) {
					out.Heads = append(out.Heads, p.Name)
				}
			}
		}
		out.Blocks = append(out.Blocks, b)
	}
	return out
}

// partsOf are the axes of a block: its heads, the dimensions in each, its FFN units.
func partsOf(teacher model.Network, blocks *nn.Axis, unit int, o *origins) (out []strip) {
	for _, a := range teacher.Store().Axes() {
		if s, layer := a.Layer(); s != blocks || layer != unit {
			continue
		}
		name := a.Name[strings.LastIndexByte(a.Name, '.')+1:]
		name = strings.ReplaceAll(name, "_", " ")
		if each, inside := o.sizes[a.Name]; inside {
			if each[0] != each[1] {
				out = append(out, strip{Name: name, Kept: each[1], Of: each[0]})
			}
			continue
		}
		out = append(out, stripOf(name, o.left[a.Name], a.Units()))
	}
	return out
}

const (
	mostCells  = 128 // of a strip; more units share cells
	wideCells  = 32  // up to so many, cells stand apart
	fullLevel  = 4
	cellHeight = 10
)

// stripOf draws units in cells, as paths over a width of one cell each.
func stripOf(name string, kept []int, of int) strip {
	s := strip{Name: name, Kept: len(kept), Of: of, Width: cellHeight * min(of, mostCells)}
	cells := min(of, mostCells)
	if cells == 0 {
		return s
	}
	has, all := make([]int, cells), make([]int, cells)
	for unit := range of {
		all[unit*cells/of]++
	}
	for _, unit := range kept {
		has[unit*cells/of]++
	}
	var paths [fullLevel + 1]strings.Builder
	for i := 0; i < cells; {
		level := (has[i]*fullLevel + all[i] - 1) / all[i] // nothing is 0, and only all is 4
		if level == fullLevel && has[i] < all[i] {
			level--
		}
		end := i + 1
		for of > wideCells && end < cells && (has[end]*fullLevel+all[end]-1)/all[end] == level && (has[end] == all[end]) == (level == fullLevel) {
			end++
		}
		x, width := float64(cellHeight*i), float64(cellHeight*(end-i))
		if of <= wideCells {
			x, width = x+1, width-2
		}
		fmt.Fprintf(&paths[level], "M%g 0h%gv%dh-%gz", x, width, cellHeight, width)
		i = end
	}
	for level := range paths {
		if level > 0 && paths[level].Len() > 0 {
			s.Marks = append(s.Marks, mark{paths[level].String(), level})
		}
	}
	if of <= wideCells && paths[0].Len() > 0 {
		s.Marks = append(s.Marks, mark{paths[0].String(), 0})
	}
	return s
}

// teacherOf declares the teacher of a run's folder, without its weights.
func teacherOf(folder string) (model.Network, error) {
	n, files, err := model.Open(folder)
	if err != nil {
		return nil, err
	}
	return n, files.Close()
}

// Label is a text of what is left of the strip.
func (s strip) Label() string { return fmt.Sprintf("%d of %d", s.Kept, s.Of) }

// Of is the part of a block in a column; nil where it has none.
func (b block) Of(name string) *strip {
	for i, p := range b.Parts {
		if p.Name == name {
			return &b.Parts[i]
		}
	}
	return nil
}
