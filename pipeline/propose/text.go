package propose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"espalier/pipeline/config"
	"espalier/pipeline/report"
)

// Text is a configuration that [Choose] gave as a run.toml: the keys that a reader may want to change, each with what it is for, below
// what was found.
func Text(f Found, c *config.Config) string {
	w := &writer{}
	w.line(`Written by "pipeline init" from what it found. docs/config.md has every key, docs/tutorial.md the way through.`)
	w.line("")
	for _, line := range f.Lines() {
		w.line("found: %s", line)
	}
	w.gap()
	w.key("seed", c.Seed, "all random numbers of the run derive from it")
	w.key("threads", c.Threads, "results depend on it: sums are split among threads")
	if c.Workers > 1 {
		w.key("workers", c.Workers, "training computes each batch in so many pieces at once: small networks train faster")
	}
	if c.Precision != "fp32" {
		w.key("precision", c.Precision, "a GPU was found, and the network is large")
	}
	if c.Recompute {
		w.key("recompute", true, "blocks are computed a second time: there is little memory")
	}
	w.key("output", c.Output, "the run's folder; the same run, started again, goes on there")
	w.data(f, c)
	w.importance(c)
	w.teacher(f, c)
	w.target(c)
	for i := range c.Stages {
		w.stage(i, c)
	}
	w.eval(c)
	w.head("export", "")
	if c.Export.Format == config.FormatTransformers {
		w.key("format", c.Export.Format, `the student loads in plain transformers, as the teacher does; "espalier" allows more sizes`)
	} else {
		w.key("format", c.Export.Format, `"transformers" fits the sizes to what plain transformers can load`)
	}
	return w.String()
}

// writer sets keys and their comments in columns.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	w.WriteString(strings.TrimRight("# "+fmt.Sprintf(format, args...), " ") + "\n")
}

func (w *writer) gap() { w.WriteString("\n") }

func (w *writer) head(table, comment string) {
	w.gap()
	w.put("["+table+"]", comment)
}

// key writes a key with its value; a comment may be empty.
func (w *writer) key(name string, value any, comment string) {
	w.put(name+" = "+text(value), comment)
}

func (w *writer) put(text, comment string) {
	if comment != "" {
		text = fmt.Sprintf("%-34s # %s", text, comment)
	}
	w.WriteString(text + "\n")
}

// text is a value as TOML writes it.
func text(value any) string {
	if v, ok := value.(bare); ok {
		return string(v)
	}
	var b strings.Builder
	if err := toml.NewEncoder(&b).Encode(map[string]any{"k": value}); err != nil {
		panic(err) // numbers, texts and lists of texts can be written
	}
	return strings.TrimPrefix(strings.TrimSpace(b.String()), "k = ")
}

// bare is text that stands in the file as it is.
type bare string

func (w *writer) data(f Found, c *config.Config) {
	w.head("data", "")
	w.key("root", c.Data.Root, "")
	if c.Data.Split != "" {
		w.key("split", c.Data.Split, "percent of the pictures in training, validation and test: the files are no splits")
	}
	if !f.Set.HasPictures() {
		return
	}
	switch {
	case f.Model != nil:
		w.key("size", c.Data.Size, "side of the pictures that the checkpoint sees, pixels")
	default:
		w.key("size", c.Data.Size, fmt.Sprintf("side of the square that the network sees, pixels; yours are %s", f.sides()))
	}
	w.head("data.vary", "")
	w.key("strength", 1, "training pictures are changed a little each time that a student sees them; 0 where an answer hangs on a small part of the picture")
}

func (w *writer) importance(c *config.Config) {
	w.head("importance", "")
	w.key("pictures", c.Importance.Pictures, "training pictures that the scores are measured on")
	w.key("batch", c.Importance.Batch, "of them in one gradient")
}

func (w *writer) teacher(f Found, c *config.Config) {
	if c.Teacher.Checkpoint != "" {
		w.head("teacher", "")
		w.key("checkpoint", c.Teacher.Checkpoint, fmt.Sprintf("%s, %s parameters", f.Model.Config.Family(), report.Count(int64(f.Model.Parameters))))
		return
	}
	t := c.Teacher.Train
	w.head("teacher.train", "no checkpoint was given: this network is trained on your training pictures")
	if t.Towers {
		v, q := t.Vision, t.QFormer
		w.key("vision", bare(fmt.Sprintf("{ width = %d, layers = %d, heads = %d, head_size = %d, ffn = %d, patch = %d }", v.Width, v.Layers, v.Heads, v.HeadSize, v.FFN, v.Patch)), "")
		w.key("qformer", bare(fmt.Sprintf("{ width = %d, layers = %d, heads = %d, head_size = %d, ffn = %d, queries = %d, cross_every = %d }", q.Width, q.Layers, q.Heads, q.HeadSize, q.FFN, q.Queries, q.CrossEvery)), "")
	}
	l := t.Language
	w.key("language", bare(fmt.Sprintf("{ width = %d, layers = %d, heads = %d, head_size = %d, ffn = %d, positions = %d }", l.Width, l.Layers, l.Heads, l.HeadSize, l.FFN, l.Positions)), "")
	if t.Towers {
		w.key("pretrain_steps", t.PretrainSteps, "of the vision tower and the Q-Former, with temporary heads")
	}
	w.key("steps", t.Steps, "of the whole network; raise them if the teacher answers too little")
	w.key("refine_steps", t.RefineSteps, "more of the same, with a new cosine schedule")
	w.key("batch", t.Batch, "pictures a step, each with all its questions")
	w.key("lr", t.LR, "peak rate; it suits networks of this width")
	w.put("# accept = 0.9", "stop if the teacher answers less of the validation split")
}

func (w *writer) target(c *config.Config) {
	t := c.Targets[0]
	w.head("target", "")
	w.key("ratio", *t.Ratio, "the student is so many times smaller; or parameters, bytes = \"2 MB\", latency_ms")
	if t.Divisions == 1 {
		w.key("divisions", 1, "3 tries other ways to share the size out among the towers, for more time")
	}
}

// cutBy says what each kind of stage cuts.
var cutBy = map[string]string{"blocks": "whole transformer blocks", "inner": "heads and FFN width inside each block", "hidden": "the width of each tower's residual stream"}

func (w *writer) stage(i int, c *config.Config) {
	s := c.Stages[i]
	w.gap()
	w.put("[[stage]]", fmt.Sprintf("%d: %s; how much stays follows from [target]", i+1, cutBy[s.Name]))
	w.key("name", s.Name, "")
	w.key("alpha", s.Alpha, "accuracy that the student may lose against the teacher after this stage, a fraction")
	if s.Candidates != nil {
		w.key("candidates", *s.Candidates, "leave it out to try two more ways to score, for more time")
	}
	w.put("[stage.distil]", "")
	d := s.Distil
	w.key("steps", d.Steps, "")
	w.key("lr", d.LR, "")
	w.key("batch", d.Batch, "")
	if d.Accumulate > 1 {
		w.key("accumulate", d.Accumulate, "batches whose gradients make one step: there is no room for a larger batch")
	}
	if d.WeightDecay != config.DefaultStage().Distil.WeightDecay {
		w.key("weight_decay", d.WeightDecay, "")
	}
	if len(d.Freeze) > 0 {
		w.key("freeze", d.Freeze, "not trained: there is no room for the optimizer of all")
	}
}

func (w *writer) eval(c *config.Config) {
	w.head("eval", "")
	w.key("batch", c.Eval.Batch, "pictures that answer together when accuracy is measured")
	w.key("throughput_batch", c.Eval.ThroughputBatch, "the same for throughput")
	w.key("max_answer_tokens", c.Eval.MaxAnswerTokens, "the longest answer of validation and test, and its end")
}

// Lines say what was found, a line each.
func (f Found) Lines() (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	pictures, questions := 0, 0
	var splits []string
	for _, s := range f.Set.Splits() {
		pictures, questions = pictures+s.Len(), questions+s.QuestionCount()
		splits = append(splits, fmt.Sprintf("%s %s", s.Name, report.Count(int64(s.Len()))))
	}
	if f.Set.HasPictures() {
		add("%s: %s pictures of %s, %s questions (%s)", f.Root, report.Count(int64(pictures)), f.sides(), report.Count(int64(questions)), f.forms())
		if !f.Look.Square {
			add("pictures that are not square are squeezed into one; crop them first where that would harm")
		}
	} else {
		add("%s: %s questions about no picture (%s)", f.Root, report.Count(int64(questions)), f.forms())
	}
	note := ""
	switch {
	case f.Look.Whole:
		note = "; data.split divides them"
	case f.Set.HeldOut:
		note = "; there is no validation split, so one training picture in twenty serves as one"
	}
	add("%s: %s%s", f.Set.Unit(), strings.Join(splits, ", "), note)
	tasks := "no tasks: the report has the accuracy over all questions"
	if n := len(f.Set.Tasks); n > 0 {
		tasks = fmt.Sprintf("%s: %s", plural(n, "task"), some(f.Set.Tasks))
	}
	add("%s", tasks)
	add("questions of %s, answers of %s, %d different words", f.Tokens.Question.of("token"), f.Tokens.Answer.of("token"), f.Set.Tokenizer.Size())
	if n := f.Tokens.Open; n > 0 {
		add("%d training questions have no answer: students learn the teacher's", n)
	}
	if m := f.Model; m != nil {
		sees := "no pictures"
		if m.Config.Towers() {
			sees = fmt.Sprintf("pictures of %d × %[1]d", m.Config.Vision.Image)
		}
		add("%s: %s, %s parameters, %s in %s, %s", m.Folder, m.Config.Family(), report.Count(int64(m.Parameters)), report.Bytes(m.Bytes), strings.Join(m.DTypes, " and "), sees)
	}
	gpu := "no GPU"
	if f.Machine.GPUs > 0 {
		gpu = plural(f.Machine.GPUs, "GPU")
	}
	add("this machine: %s, %s of memory, %s", plural(f.Machine.Threads, "thread"), report.Bytes(f.Machine.Memory), gpu)
	return lines
}

// sides is how large the pictures are, by their longer sides.
func (f Found) sides() string {
	switch s := f.Look.Sides; {
	case s[0] != s[2]:
		return fmt.Sprintf("%d to %d pixels", s[0], s[2])
	case f.Look.Square:
		return fmt.Sprintf("%d × %[1]d pixels", s[0])
	default:
		return fmt.Sprintf("%d pixels", s[0])
	}
}

// forms are those of the splits' files.
func (f Found) forms() string {
	var forms []string
	for _, s := range f.Look.Splits {
		if !slices.Contains(forms, string(s.Form)) {
			forms = append(forms, string(s.Form))
		}
	}
	return strings.Join(forms, " and ")
}

// some are the first of many names.
func some(names []string) string {
	const most = 6
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", report.Count(int64(n)), what)
}
