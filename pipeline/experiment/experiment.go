// Package experiment is a grid of runs: settings × seeds, the columns that are reported of each run, their means and spreads, and what
// they must show. It runs nothing: a cell is a configuration and, once it was run, a report.
package experiment

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"espalier/pipeline/fault"
)

// File is experiments/NAME.toml.
type File struct {
	Name        string   `toml:"-"` // of the file, without .toml
	Title       string   `toml:"title"`
	Base        string   `toml:"base"` // the run that all cells change; from the file's folder
	Set         []string `toml:"set"`  // of all cells, as -set takes them
	Seeds       []int    `toml:"seeds"`
	Columns     []string `toml:"columns"`     // see ColumnNames; the first is the one that is compared and drawn
	Axes        []Axis   `toml:"axis"`        // the grid is their product
	Conclusions []string `toml:"conclusions"` // see Conclusion
	Quick       Quick    `toml:"quick"`
}

// Axis is one thing that is varied.
type Axis struct {
	Name     string    `toml:"name"`
	Settings []Setting `toml:"settings"`
}

// Setting is one value of an axis.
type Setting struct {
	Name   string   `toml:"name"`
	Base   string   `toml:"base"`   // in place of the file's
	Set    []string `toml:"set"`    // behind the file's
	Stages []string `toml:"stages"` // of the base, in this order; without it all of them

	// Command makes the cell in the pipeline's place: a program and its arguments, behind which stand -c and the cell's file. It leaves report.json in
	// the output folder that the file names.
	Command []string `toml:"command"`
}

// Quick is the reduced form.
type Quick struct {
	Seeds    []int    `toml:"seeds"`
	Set      []string `toml:"set"`      // behind all others
	Settings []string `toml:"settings"` // those that are left, of all axes; without it all of them
}

// Is tells whether a file is an experiment's: it has a base.
func Is(path string) bool {
	var f struct{ Base *string }
	_, err := toml.DecodeFile(path, &f)
	return err == nil && f.Base != nil
}

// Read reads an experiment, or its reduced form.
func Read(path string, quick bool) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Inputf("experiment: %w", err)
		}
		return nil, err
	}
	f := &File{Name: strings.TrimSuffix(filepath.Base(path), ".toml")}
	read, err := toml.Decode(string(text), f)
	if err != nil {
		return nil, fault.Inputf("%s: %w", path, err)
	}
	if unknown := read.Undecoded(); len(unknown) > 0 {
		return nil, fault.Inputf("%s: unknown key %s; an experiment has title, base, set, seeds, columns, axis, conclusions and quick", path, unknown[0])
	}
	if quick {
		f.reduce()
	}
	if err := f.check(); err != nil {
		return nil, fault.Inputf("%s: %w", path, err)
	}
	f.Base = beside(path, f.Base)
	for _, a := range f.Axes {
		for i := range a.Settings {
			a.Settings[i].Base = beside(path, a.Settings[i].Base)
		}
	}
	return f, nil
}

// beside is a file that an experiment names, from the experiment's folder.
func beside(path, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}

// reduce leaves what the reduced form has: its seeds and settings, and the conclusions that are marked for it.
func (f *File) reduce() {
	f.Name += "-quick"
	if len(f.Quick.Seeds) > 0 {
		f.Seeds = f.Quick.Seeds
	}
	if len(f.Quick.Settings) > 0 {
		for i := range f.Axes {
			a := &f.Axes[i]
			a.Settings = slices.DeleteFunc(a.Settings, func(s Setting) bool { return !slices.Contains(f.Quick.Settings, s.Name) })
		}
	}
	f.Conclusions = slices.DeleteFunc(f.Conclusions, func(s string) bool { return !strings.HasPrefix(s, quickMark) })
}

func (f *File) check() error {
	switch {
	case f.Base == "":
		return errors.New("base names no run's file")
	case len(f.Seeds) == 0:
		return errors.New("seeds names none, as in seeds = [1, 2, 3]")
	case len(f.Columns) == 0:
		return errors.New(`columns names none, as in columns = ["accuracy", "latency"]`)
	case len(f.Axes) == 0:
		return errors.New("no [[axis]] says what is varied")
	}
	for _, name := range f.Columns {
		if _, err := columnOf(name); err != nil {
			return err
		}
	}
	for i, seed := range f.Seeds {
		if slices.Contains(f.Seeds[:i], seed) {
			return errorf("seeds names %d twice", seed)
		}
	}
	for _, a := range f.Axes {
		if len(a.Settings) == 0 {
			return errorf("axis %q has no settings", a.Name)
		}
		seen := map[string]bool{}
		for _, s := range a.Settings {
			if s.Name == "" || seen[s.Name] {
				return errorf("axis %q: each of its settings needs a name of its own, unlike %q", a.Name, s.Name)
			}
			seen[s.Name] = true
		}
	}
	names := f.settingNames()
	for _, text := range f.Conclusions {
		c, err := parseConclusion(text, f.Columns[0])
		if err != nil {
			return err
		}
		for _, side := range []string{c.A, c.B} {
			if !slices.Contains(names, side) {
				return errorf("conclusion %q: there is no setting %q; there are %s", text, side, strings.Join(names, ", "))
			}
		}
		if _, err := columnOf(c.Column); err != nil {
			return errorf("conclusion %q: %w", text, err)
		}
	}
	return nil
}
