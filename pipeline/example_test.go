package pipeline_test

import (
	"context"
	"fmt"
	"os"

	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
)

// A whole run: a teacher is trained on drawn digit strings, one of its two blocks goes, and the student learns for two steps. Everything that
// happens comes as an event.
func ExampleRun() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	cfg, err := config.Parse("example.toml", `
threads = 1
device = "cpu"
[data]
source = "sequences"
train = 16
validation = 8
test = 8
ood = 8
[importance]
pictures = 8
batch = 8
[teacher.train]
language = { width = 16, layers = 2, heads = 2, head_size = 8, ffn = 16, positions = 40 }
steps = 2
refine_steps = 0
batch = 8
[[stage]]
name = "blocks"
criterion = "last"
keep = { language = 1 }
alpha = 1.0
[stage.distil]
steps = 2
batch = 8
[eval]
batch = 8
latency_runs = 1
latency_warmup = 0
throughput_batch = 2
max_answer_tokens = 12
`, "output="+folder+"/run", "store="+folder+"/store")
	if err != nil {
		fmt.Println(err)
		return
	}
	done, err := pipeline.Run(context.Background(), cfg, pipeline.Options{Events: func(e event.Event) {
		if cut, ok := e.(event.Cut); ok {
			fmt.Println(cut.Stage, cut.Left)
		}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d → %d parameters, %s\n", done.Teacher.Parameters, done.Student.Parameters, done.Stages[0].Gate.Verdict)
	// Output:
	// blocks language 1
	// 4320 → 2624 parameters, held
}
