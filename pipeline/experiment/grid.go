package experiment

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"espalier/pipeline/config"
)

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// Cell is one run of the grid.
type Cell struct {
	Setting string // the names of its settings, joined
	Seed    int
	Config  *config.Config
	Command []string // that makes it in the pipeline's place, without the file; nil: the pipeline does
}

// Name is a cell's, for files and lines.
func (c *Cell) Name() string { return fileName(c.Setting) + "-" + fmt.Sprint(c.Seed) }

// TOML is the cell's configuration, with every default filled in, for anyone to run alone.
func (c *Cell) TOML() ([]byte, error) {
	var out bytes.Buffer
	err := toml.NewEncoder(&out).Encode(c.Config.Resolved())
	return out.Bytes(), err
}

// fileName is a name without what file names should not have.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) {
			return '_'
		}
		return r
	}, name)
}

// Cells are all runs of an experiment, seed by seed. Their outputs lie in a folder. set is what comes behind all else.
func (f *File) Cells(folder string, set []string) (cells []*Cell, err error) {
	for _, seed := range f.Seeds {
		for _, choice := range f.product() {
			c := &Cell{Setting: joined(choice), Seed: seed}
			if c.Config, err = f.configOf(choice, slices.Concat([]string{fmt.Sprint("seed=", seed)}, set)); err != nil {
				return nil, errorf("experiment %s, setting %s: %w", f.Name, c.Setting, err)
			}
			c.Config.Output = filepath.Join(folder, c.Name())
			for _, s := range choice {
				if s.Command != nil {
					c.Command = s.Command
				}
			}
			cells = append(cells, c)
		}
	}
	for i, c := range cells {
		for _, other := range cells[:i] {
			if c.Name() == other.Name() {
				return nil, errorf("experiment %s: the settings %q and %q would share the folder %s", f.Name, c.Setting, other.Setting, c.Config.Output)
			}
		}
	}
	return cells, nil
}

// Order is in which order cells are begun: the first setting of each seed before all others. These make what the cells of a seed share, such as its
// teacher, beside each other; seed by seed, all lanes would wait for one teacher after another.
func Order(cells []*Cell) (order []int) {
	for _, first := range []bool{true, false} {
		for i, c := range cells {
			if (c.Setting == cells[0].Setting) == first {
				order = append(order, i)
			}
		}
	}
	return order
}

// configOf is the configuration of one choice of settings. A later axis comes behind an earlier one.
func (f *File) configOf(choice []Setting, last []string) (*config.Config, error) {
	base, set, stages := f.Base, slices.Clone(f.Set), []string(nil)
	for _, s := range choice {
		if s.Base != "" {
			base = s.Base
		}
		if s.Stages != nil {
			stages = s.Stages
		}
		set = append(set, s.Set...)
	}
	c, err := config.Load(base, slices.Concat(set, f.quickSet(), last)...)
	if err != nil || stages == nil {
		return c, err
	}
	var picked config.Stages
	for _, name := range stages {
		i := slices.IndexFunc(c.Stages, func(s config.StageConfig) bool { return s.Name == name })
		if i < 0 {
			return nil, errorf("%s has no stage %q; it has %s", base, name, strings.Join(c.Stages.Names(), ", "))
		}
		picked = append(picked, c.Stages[i])
	}
	c.Stages = picked
	return c, c.Check()
}

// quickSet is what the reduced form changes.
func (f *File) quickSet() []string {
	if strings.HasSuffix(f.Name, "-quick") {
		return f.Quick.Set
	}
	return nil
}

// product is every choice of one setting from each axis; the last axis runs fastest.
func (f *File) product() [][]Setting {
	choices := [][]Setting{nil}
	for _, a := range f.Axes {
		var longer [][]Setting
		for _, c := range choices {
			for _, s := range a.Settings {
				longer = append(longer, append(slices.Clone(c), s))
			}
		}
		choices = longer
	}
	return choices
}

// against is the setting that one is compared with: that with the first of the last axis, and with the same of the others.
func (f *File) against(setting string) string {
	last := f.Axes[len(f.Axes)-1].Settings
	for i, name := range f.settingNames() {
		if name == setting {
			return f.settingNames()[i-i%len(last)]
		}
	}
	return ""
}

func (f *File) settingNames() (names []string) {
	for _, c := range f.product() {
		names = append(names, joined(c))
	}
	return names
}

func joined(choice []Setting) string {
	var names []string
	for _, s := range choice {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
