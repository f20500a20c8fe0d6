package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/config.md and docs/run.example.toml anew")

// The declarations, docs/config.md and the example say the same.
func TestDocumentsFollowTheDeclarations(t *testing.T) {
	for file, want := range map[string]string{"config.md": Reference(), "run.example.toml": Example()} {
		path := filepath.Join("..", "..", "docs", file)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, want, string(got), "docs/%s: go test ./pipeline/config -update writes it", file)
	}
}

func TestEveryKeyIsDeclaredWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		assert.False(t, seen[k.Path()], k.Path())
		seen[k.Path()] = true
		assert.NotEmpty(t, k.Doc, k.Path())
		if k.Type != "true or false" {
			assert.NotEmpty(t, k.Allowed, "%s needs a range, choices or a form", k.Path())
		}
		if k.Type == "whole number" {
			assert.LessOrEqual(t, k.key.within.high, float64(1<<53), "%s: a report's JSON must hold the number", k.Path())
		}
		if form := k.key.form; form != "" {
			assert.Contains(t, forms, form, k.Path())
		}
		if from := k.key.inherit; from != "" {
			require.NotNil(t, schema().key(from), k.Path())
		}
	}
	for _, path := range []string{"seed", "stage.distil.lr", "stage.keep.vision.ffn", "teacher.train.language.positions", "data.on_error"} {
		assert.True(t, seen[path], path)
	}
	var still []string
	for _, k := range Keys() {
		if !k.Moves {
			still = append(still, k.Path())
		}
	}
	assert.Equal(t, []string{"output", "store", "store_limit", "keep_every", "export.torchscript"}, still)
}

// Each field of the structs is a key: none is forgotten for want of a tag.
func TestEveryFieldIsAKey(t *testing.T) {
	var walk func(of reflect.Type)
	walk = func(of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			assert.NotEmpty(t, f.Tag.Get("toml"), "%s.%s", of.Name(), f.Name)
			inner := f.Type
			if inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && !reflect.PointerTo(inner).Implements(customType) {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// The example is what its comments say: every key stands in it, and its values are the defaults.
func TestExample(t *testing.T) {
	c, err := Parse("run.example.toml", Example())
	require.NoError(t, err)
	for _, k := range Keys() {
		assert.Regexp(t, `(?m)^(# )?([a-z]+\.)?`+k.Name+` = `, Example(), k.Path())
	}
	assert.Equal(t, DefaultTrain().Vision, c.Teacher.Train.Vision)
	stage := DefaultStage()
	stage.Name, stage.Distil.Steps, stage.Distil.Precision, stage.Distil.Freeze = "hidden", 1000, "fp32", nil
	half := TowerKeep{Units: Keep{Share: .5}}
	stage.Keep = Towers{Vision: half, QFormer: half, Language: half}
	c.Stages[0].Distil.Freeze = nil // [] in the file
	assert.Equal(t, Stages{stage}, c.Stages)

	// What stands behind # is right where it belongs.
	for _, set := range [][]string{
		{"teacher.train.accept=0.93", "stage.hidden.alpha_task=0.05"},
		{"stage.0.name=inner", "stage.0.keep.vision={ heads = 2, ffn = \"33%\" }"},
		{"data.source=", "data.root=pictures"},
	} {
		_, err := Parse("run.example.toml", Example(), set...)
		assert.NoError(t, err, set)
	}
	text := regexp.MustCompile(`(?ms)^\[teacher.train.*?^\[\[`).ReplaceAllString(Example(), "[[")
	text = strings.NewReplacer("# checkpoint", "checkpoint", "# prompt", "prompt").Replace(text)
	_, err = Parse("run.example.toml", text)
	assert.NoError(t, err)
}

// The project's own files, and the parts of such files in its documents, are read as they stand.
func TestFilesOfTheProject(t *testing.T) {
	t.Chdir(filepath.Join("..", "..")) // paths in them count from there
	found := func(patterns ...string) (files []string) {
		for _, pattern := range patterns {
			more, err := filepath.Glob(pattern)
			require.NoError(t, err)
			require.NotEmpty(t, more, pattern)
			files = append(files, more...)
		}
		return files
	}
	for _, file := range found("run.toml", "examples/*/*.toml", "examples/*/*/*.toml", "bench/*/*.toml") {
		_, err := Load(file)
		assert.NoError(t, err, file)
	}
	documents := found("README.md", "docs/*.md", "examples/*/*.md")
	blocks := 0
	for _, file := range documents {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, block := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			blocks++
			if _, err := Parse("block", block[1]); err != nil { // a part lacks the rest
				assert.NotContains(t, err.Error(), "unknown key", file)
				assert.NotContains(t, err.Error(), "is not", file)
			}
		}
	}
	assert.NotZero(t, blocks)
}
