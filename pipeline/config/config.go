// Package config is run.toml: which keys there are, what they may be, and what they mean for a network's sizes. keys.go
// declares each key once; all else here reads that.
package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"espalier/pipeline/fault"
	"espalier/torch"
	"espalier/torch/textfile"
)

// Load reads a run's configuration. Each override is "key=value", as -set gives it: dotted keys, a stage by
// its index or its name (stage.hidden.distil.steps=400). Every fault of the file and of the overrides is
// reported at once, one a line, in an InputError.
func Load(path string, set ...string) (*Config, error) {
	text, err := read(path)
	if err != nil {
		return nil, fault.Inputf("config: %w: name a run's TOML file with -c, or have pipeline init write one", err)
	}
	return Parse(filepath.Base(path), string(text), set...)
}

// read reads no more of a file than a configuration may be long.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2*maxText+1)) // UTF-16 takes two bytes a letter
	switch {
	case err != nil:
		return nil, err
	case textfile.IsPointer(text):
		return nil, fmt.Errorf("%s %s", path, textfile.Pointer)
	}
	if text, err = textfile.Plain(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// Parse is Load on a text; name is what faults call it.
func Parse(name, text string, set ...string) (*Config, error) {
	doc, root := parseDocument(name, text)
	if err := doc.err(); err != nil {
		return nil, err
	}
	for _, s := range set {
		doc.override(root, s)
	}
	c := Default()
	doc.visit(root, c)
	if err := doc.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Check finds what is wrong in a Config that was made or changed by a program.
func (c *Config) Check() error {
	_, err := c.Resolve()
	return err
}

// Resolve is a copy of a Config with all that a file may leave out filled in: what a key inherits, and how many pictures the
// built-in source draws. It reports every fault at once, as Load does.
func (c *Config) Resolve() (*Config, error) {
	out, doc := c.Clone(), newDocument("config")
	doc.visit(nil, out)
	if err := doc.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// Clone is a copy that shares nothing with c.
func (c *Config) Clone() *Config {
	return deepCopy(reflect.ValueOf(c)).Interface().(*Config)
}

// deepCopy copies structs, lists and pointers and what they hold; a configuration has nothing else that could be shared.
func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(deepCopy(v.Field(i)))
		}
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(deepCopy(v.Index(i)))
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(deepCopy(v.Elem()))
	default:
		out.Set(v)
	}
	return out
}

// Default is the configuration of an empty run.toml. It is not yet valid: data, teacher and stages have no default.
func Default() *Config { return filled[Config]() }

// DefaultTrain is the teacher of an empty [teacher.train]: 3.04 million parameters over the 85 words of "ads".
func DefaultTrain() *TrainConfig { return filled[TrainConfig]() }

// DefaultStage is a [[stage]] without keys; its learning rate suits large pre-trained models.
func DefaultStage() StageConfig { return *filled[StageConfig]() }

// WorkersOn is how many workers train on the CPU or on another device, of which each has one. A worker needs a thread.
func (c *Config) WorkersOn(on torch.Device) int {
	if on != torch.CPU {
		return 1
	}
	return max(1, min(c.Workers, c.Threads))
}
