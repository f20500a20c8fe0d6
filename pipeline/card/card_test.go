package card

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"go.yaml.in/yaml/v3"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/pipeline/report"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// cutOf is a network with these units of its axes.
func cutOf(t *testing.T, n model.Network, keep map[string][]int) model.Network {
	t.Helper()
	axes := map[*nn.Axis][]int{}
	for name, units := range keep {
		axes[n.Store().Axis(name)] = units
	}
	out, err := n.Rebuild(n.Store().Cut(axes).Structure)
	require.NoError(t, err)
	return out
}

// example is a card whose texts are the user's, here of the worst kind.
func example(t *testing.T, task string) *Card {
	t.Helper()
	teacher := modeltest.Family(t, "blip2_opt")
	student := cutOf(t, teacher, map[string][]int{"vision_model.encoder.layers": {1}, "vision_model.hidden": {0, 1, 2, 3, 4, 5, 6, 7}})
	gate := report.Gate{Limits: report.Limits{Alpha: .02, Need: report.NeedNotLost}, Verdict: report.Undecided, Drop: .01, CI: [2]float64{-.01, .03}, Split: validation, PicturesNeeded: 4000}
	stage := report.Stage{Name: "blocks", Attempts: 1, Accepted: true, Gate: gate, Cuts: []report.Cut{{}}, SliceMaskMaxDiff: 3e-16,
		Distilled: report.Model{Parameters: 5000, Accuracy: report.Accuracy{report.Overall: .9}}}
	parts := report.Parts{Vision: 20000, QFormer: 10000, Projection: 1000, LanguageBlocks: 50000, Embeddings: 9000}
	return &Card{Network: student, Teacher: task + " teacher", Data: "the " + task, DType: "float32", Seed: 7, MaxTokens: 8,
		Before: report.Model{Parameters: parts.Sum(), ParametersByPart: parts, Bytes: 4 * parts.Sum(), LatencyMS: report.Latency{P50: 123.25, P99: 456.5, Batch: 1}},
		After: report.Model{Parameters: 5000, ParametersByPart: report.Parts{Vision: 2000, QFormer: 1500, Projection: 100, LanguageBlocks: 900, Embeddings: 500}, Bytes: 20000,
			LatencyMS: report.Latency{P50: 78.125, P99: 90.5, Batch: 1}, Throughput: report.Throughput{AnswersPerS: 4321.5, Batch: 8},
			Flips: map[string]report.Flips{report.Overall: {RightToWrong: 3, WrongToRight: 2, Questions: 60}}},
		Stages:   []Stage{{Stage: stage, Before: teacher, After: student, Scored: "taylor-sample/margin", Steps: 120}},
		Accepted: &gate,
		Answered: []report.Answered{
			{Split: validation, Task: report.Overall, Pictures: 12, Questions: 60, Teacher: .95, Student: .94},
			{Split: "test", Task: report.Overall, Pictures: 1200, Questions: 6000, Teacher: .97, Student: .9812345},
			{Split: "test", Task: task, Pictures: 1200, Questions: 1200, Teacher: .5, Student: .25},
			{Split: "ood", Task: report.Overall, Pictures: 10, Questions: 50, Teacher: .6, Student: .7},
		}}
}

// parts are the front matter and the rest of a card, as Hugging Face's programs divide it.
var parts = regexp.MustCompile(`(?s)\A---\n(.*?)\n---\n(.*)\z`)

// divided are the front matter and the rest of a card.
func divided(t *testing.T, card string) (front map[string]any, body string) {
	t.Helper()
	found := parts.FindStringSubmatch(card)
	require.NotNil(t, found)
	require.NoError(t, yaml.Unmarshal([]byte(found[1]), &front))
	return front, found[2]
}

// page is a card's body as GitHub and Hugging Face show it.
func page(t *testing.T, body string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(body), &out))
	return out.String()
}

// shown is what a reader sees of the elements of a kind.
func shown(page, element string) (texts []string) {
	for _, found := range regexp.MustCompile(`(?s)<`+element+`(?: [^>]*)?>(.*?)</`+element+`>`).FindAllStringSubmatch(page, -1) {
		texts = append(texts, html.UnescapeString(mail.ReplaceAllString(found[1], "$1")))
	}
	return texts
}

// mail is an address that became a link, which shows the same text.
var mail = regexp.MustCompile(`<a href="mailto:[^"]*">([^<]*)</a>`)

// hostile are names as no tool should write them, and as files hold them all the same.
var hostile = []string{
	"colour", "what? *bold* _it_ `x`", "a|b||c", "<script>alert(1)</script> &amp; <!--x", "[link](http://evil.example) ![p](x.png)", "www.example.com https://example.com a@b.example",
	"# no heading", "---", "- x: [1, 2] # y", "'\"%@!{}", "\\", "~~gone~~ $x^2$", "1. one", "日本語 ёж 🙂", "yes", "2024-01-01", "null", "trailing #", "a\\|b",
}

// Whatever a task, a teacher and a data set are called, the card shows it as it is, and its front matter says it.
func TestNamesAreShownAsTheyAre(t *testing.T) {
	torchtest.Setup(t)
	for _, name := range hostile {
		c := example(t, name)
		card, err := c.Text()
		require.NoError(t, err)
		front, body := divided(t, card)
		found := front["model-index"].([]any)[0].(map[string]any)
		assert.Equal(t, name+" teacher, 18.0 times smaller", found["name"], name)
		results := found["results"].([]any)
		require.Len(t, results, 2, "validation chose what the run went on with")
		test := results[0].(map[string]any)
		assert.Equal(t, "the "+name, test["dataset"].(map[string]any)["name"])
		metrics := test["metrics"].([]any)
		require.Len(t, metrics, 2)
		assert.Equal(t, map[string]any{"type": "accuracy", "value": .9812, "name": "accuracy"}, metrics[0])
		assert.Equal(t, map[string]any{"type": "accuracy", "value": .25, "name": "accuracy, " + name}, metrics[1])

		html := page(t, body)
		assert.Equal(t, []string{name + " teacher, 18.0 times smaller"}, shown(html, "h1"))
		assert.Equal(t, []string{"Accuracy", "How it was made", "How to use it", "Limits", "To fill in before you publish"}, shown(html, "h2"), name)
		cells := shown(html, "td")
		assert.Contains(t, cells, name)
		assert.Contains(t, cells, "vision: blocks 2 → 1, width 32 → 8")
		html = mail.ReplaceAllString(html, "$1")
		for _, tag := range []string{"<a ", "<img", "<script", "<em>", "<!--", "<del>", "<hr", "raw HTML"} {
			assert.NotContains(t, html, tag, name)
		}
		assert.Equal(t, 1, strings.Count(html, "<strong>"), "the verdict alone")
	}
}

// Names with line ends and what nobody sees are one line, and long ones are cut off.
func TestNamesAreOneLine(t *testing.T) {
	torchtest.Setup(t)
	for name, want := range map[string]string{"a\n---\nlicense: mit\n": "a --- license: mit", "x\u202e\x00\x1by\ufeff": "xy", "a\u2028 \t b": "a b", "\xff": "\ufffd",
		strings.Repeat("é", 81): strings.Repeat("é", 79) + "…"} {
		assert.Equal(t, want, short(name))
		c := example(t, name)
		card, err := c.Text()
		require.NoError(t, err)
		front, _ := divided(t, card)
		assert.Equal(t, "unknown", front["license"], "%q", name)
	}
}

// A card has no times: equal runs take unequal ones, and must write equal students.
func TestCardHasNoTimes(t *testing.T) {
	torchtest.Setup(t)
	c := example(t, "colour")
	before, err := c.Text()
	require.NoError(t, err)
	for _, m := range []*report.Model{&c.Before, &c.After, &c.Stages[0].Distilled} {
		m.LatencyMS, m.Throughput = report.Latency{P50: 1, P99: 2, Batch: 1}, report.Throughput{AnswersPerS: 3, Batch: 4}
	}
	c.Stages[0].Seconds = report.StageSeconds{Distil: 99}
	c.Target = &report.Target{Key: "latency_ms", Want: 90, Predicted: 80, Got: 70}
	after, err := c.Text()
	require.NoError(t, err)
	assert.Contains(t, after, "The run was asked for a student with latency\\_ms = 90.\n")
	assert.Equal(t, before, strings.Replace(after, "The run was asked for a student with latency\\_ms = 90.\n", "", 1))
}

// The card says what the last gate proved, and where no stage was accepted, that this is the teacher.
func TestVerdictInWords(t *testing.T) {
	torchtest.Setup(t)
	c := example(t, "colour")
	text := func() string {
		out, err := c.Text()
		require.NoError(t, err)
		return out
	}
	assert.Contains(t, text(), "The last gate's verdict is **undecided**: on the validation split (12 pictures) the student lost 1.0 points of accuracy against its teacher, "+
		"with a 95 % interval from −1.0 to 3.0, and these questions do not show whether the loss is more than the 2.0 points that were allowed; 4,000 pictures would decide.")
	c.Accepted = &report.Gate{Limits: report.Limits{Alpha: .06}, Verdict: report.Held, Drop: .01, CI: [2]float64{0, .02}, Split: validation, Collapsed: []string{"a_b"}}
	assert.Contains(t, text(), "**held**: on the validation split (12 pictures) the student lost 1.0 points of accuracy against its teacher, "+
		"with a 95 % interval from 0.0 to 2.0, which is shown to be at most the 6.0 points that were allowed.")
	assert.Contains(t, text(), "The task a\\_b lost a third or more")
	c.Accepted, c.Stages[0].Accepted, c.Stages[0].Gate.Verdict = nil, false, report.Lost
	front, body := divided(t, text())
	assert.NotContains(t, front, "model-index")
	assert.Contains(t, body, "# colour teacher, not pruned\n")
	assert.Contains(t, body, "no stage of the run was accepted")
	assert.Contains(t, body, "| 1 blocks | – | taylor-sample/margin | 1 | 120 | 5,000 | 90.0 | lost; not accepted, left out |\n")
}

// How to ask follows from the family and from what transformers loads.
func TestHowToUseIt(t *testing.T) {
	torchtest.Setup(t)
	for family, want := range map[string][]string{
		"blip2_opt":       {"Blip2ForConditionalGeneration", `ids[:, inputs["input_ids"].shape[1]:]`, "-image picture.png", `text="Q: {question}`},
		"blip2_t5":        {"Blip2ForConditionalGeneration", "batch_decode(ids,"},
		"instructblip_t5": {"InstructBlipForConditionalGeneration"},
	} {
		c := example(t, "colour")
		c.Network = modeltest.Family(t, family)
		c.Network.Config().Prompt = "Q: {question} `A`:\n"
		text, err := c.Text()
		require.NoError(t, err)
		for _, w := range append(want, "`` Q: {question} `A`: ``", `text="Q: {question} `+"`A`"+`:\n".replace("{question}", question)`) {
			assert.Contains(t, text, w, family)
		}
		front, _ := divided(t, text)
		assert.Equal(t, "transformers", front["library_name"])
		assert.Equal(t, "image-text-to-text", front["pipeline_tag"])
		c.Unloadable = "it has 3 heads of size 5"
		text, err = c.Text()
		require.NoError(t, err)
		front, _ = divided(t, text)
		assert.NotContains(t, front, "library_name")
		assert.Contains(t, text, "Plain transformers does not load this folder: it has 3 heads of size 5.")
		assert.NotContains(t, text, "```python")
		c.Unloadable, c.Rewrite = "its weights are int8", "go run ./cmd/model convert -out NEW FOLDER"
		text, err = c.Text()
		require.NoError(t, err)
		assert.Contains(t, text, "this folder: its weights are int8; `go run ./cmd/model convert -out NEW FOLDER` writes them as float32 into a folder NEW.\n")
	}
}
