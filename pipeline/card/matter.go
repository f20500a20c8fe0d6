package card

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"go.yaml.in/yaml/v3"

	"espalier/pipeline/report"
)

// matter is the front matter, the part of a card that Hugging Face's programs read: its documentation of model cards has the keys.
type matter struct {
	License  string   `yaml:"license"`
	Base     string   `yaml:"base_model,omitempty"`
	Library  string   `yaml:"library_name,omitempty"`
	Pipeline string   `yaml:"pipeline_tag"`
	Tags     []string `yaml:"tags"`
	Metrics  []string `yaml:"metrics"`
	Index    []index  `yaml:"model-index,omitempty"`
}

type index struct {
	Name    string   `yaml:"name"`
	Results []result `yaml:"results"`
}

type result struct {
	Task    task     `yaml:"task"`
	Dataset dataset  `yaml:"dataset"`
	Metrics []metric `yaml:"metrics"`
}

type task struct {
	Type string `yaml:"type"`
}

type dataset struct {
	Name  string `yaml:"name"`
	Type  string `yaml:"type"`
	Split string `yaml:"split"`
}

type metric struct {
	Type  string  `yaml:"type"`
	Value float64 `yaml:"value"`
	Name  string  `yaml:"name"`
}

// unknown is Hugging Face's word for a licence that nobody has stated.
const unknown = "unknown"

// toFill are comments: what only the publisher knows. Hugging Face's programs pass over them.
const toFill = `# Fill in before you publish (the end of this card says more):
#   license: an id of https://hf.co/docs/hub/repositories-licenses in place of "unknown"; the licences of the teacher and of the data bind this model too
#   language: [the languages of the questions and answers, as en]
#   datasets: [the ids of the data on Hugging Face, if they are there]
`

// front is the card's front matter.
func front(c *Card) (string, error) {
	m := matter{License: unknown, Base: c.TeacherID, Pipeline: "text-generation", Tags: []string{"espalier", "pruning", "knowledge-distillation"}, Metrics: []string{"accuracy"}}
	if c.sees() {
		m.Pipeline = "image-text-to-text"
		m.Tags = append(m.Tags, "visual-question-answering")
	}
	hint := toFill
	if m.Base == "" && c.Teacher != "" {
		hint += "#   base_model: the teacher's id on Hugging Face, if it is there\n"
	}
	if c.Unloadable == "" {
		m.Library = "transformers"
	}
	if c.Accepted != nil {
		m.Index = []index{{Name: line(c.title()), Results: results(c)}}
	}
	var text strings.Builder
	to := yaml.NewEncoder(&text)
	to.SetIndent(2)
	if err := errors.Join(to.Encode(m), to.Close()); err != nil {
		return "", fmt.Errorf("card: front matter: %w", err)
	}
	return "---\n" + hint + text.String() + "---\n", nil
}

// results are the accuracies on the splits that decided nothing; those on validation chose what the run went on with.
func results(c *Card) (all []result) {
	kind := "question-answering"
	if c.sees() {
		kind = "visual-question-answering"
	}
	for _, a := range c.Answered {
		if a.Split == validation {
			continue
		}
		if n := len(all); n == 0 || all[n-1].Dataset.Split != a.Split {
			all = append(all, result{Task: task{kind}, Dataset: dataset{line(c.data()), slug(c.data()), a.Split}})
		}
		to := &all[len(all)-1]
		name := "accuracy"
		if a.Task != report.Overall {
			name += ", " + line(a.Task)
		}
		to.Metrics = append(to.Metrics, metric{"accuracy", math.Round(1e4*a.Student) / 1e4, name})
	}
	return all
}

// slug is a name in the characters of Hugging Face's ids.
func slug(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		}
		return '-'
	}, line(name))
	if out = strings.Trim(out, "-."); out == "" {
		return "data"
	}
	return out
}
