package bench

import (
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/pipeline/report"
)

// questionsRun is a whole run with a network of 88,000 parameters: a teacher, its outputs, three cuts, distillation.
const questionsRun = `
threads = 1
device = "cpu"
[data]
root = "data"
size = 24
[importance]
pictures = 16
batch = 8
[teacher.train]
vision   = { width = 48, layers = 2, heads = 4, head_size = 12, ffn = 96, patch = 6 }
qformer  = { width = 32, layers = 2, heads = 4, head_size = 8, ffn = 64, queries = 8, cross_every = 2 }
language = { width = 32, layers = 2, heads = 4, head_size = 8, ffn = 64, positions = 64 }
pretrain_steps = 10
steps = 20
refine_steps = 10
batch = 12
[[stage]]
name = "blocks"
keep = { vision = 1, language = 1 }
alpha = 1.0
[stage.distil]
steps = 40
lr = 1e-3
batch = 12
[[stage]]
name = "hidden"
criterion = "gradient"
keep = { vision = 24, language = 16 }
cuts = 2
alpha = 1.0
[stage.distil]
steps = 80
lr = 1e-3
batch = 12
[eval]
batch = 12
latency_runs = 5
throughput_batch = 4
max_answer_tokens = 4
`

var questionsSet = flag.String("set", "data.row_tokens=0", "a key of the runs of BenchmarkQuestionsOfOnePicture")

// BenchmarkQuestionsOfOnePicture asks many questions about one of 24 training pictures, and about copies of it with two
// each, and compares the two runs: go test ./bench -run '^$' -bench Questions
func BenchmarkQuestionsOfOnePicture(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "pipeline")
	out, err := exec.Command("go", "build", "-o", bin, "espalier/cmd/pipeline").CombinedOutput()
	require.NoError(b, err, "%s", out)
	for _, questions := range []int{30, 100, 300} {
		b.Run(fmt.Sprint(questions), func(b *testing.B) {
			var seconds, peak [2]float64
			for range b.N {
				for i, copies := range []bool{true, false} {
					s, bytes := runQuestions(b, bin, questions, copies)
					seconds[i] += s
					peak[i] += float64(bytes)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(seconds[0]/float64(b.N), "copies-s")
			b.ReportMetric(seconds[1]/float64(b.N), "one-s")
			b.ReportMetric(seconds[1]/seconds[0], "time-ratio")
			b.ReportMetric(peak[0]/float64(b.N)/(1<<20), "copies-MiB")
			b.ReportMetric(peak[1]/float64(b.N)/(1<<20), "one-MiB")
			b.ReportMetric(peak[1]/peak[0], "memory-ratio")
		})
	}
}

// runQuestions is a run in a process of its own: the seconds of its one thread, which other work on the machine hardly
// changes, and its peak memory.
func runQuestions(b *testing.B, bin string, questions int, copies bool) (seconds float64, peak int64) {
	folder := b.TempDir()
	writeQuestions(b, filepath.Join(folder, "data"), questions, copies)
	require.NoError(b, os.WriteFile(filepath.Join(folder, "run.toml"), []byte(questionsRun), 0o644))
	run := exec.Command(bin, "-c", "run.toml", "-set", "output=run", "-set", *questionsSet)
	run.Dir, run.Env = folder, append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(folder, "cache"))
	out, err := run.CombinedOutput()
	require.NoError(b, err, "%s", out)
	r, err := report.Read(filepath.Join(folder, "run", "report.json"))
	require.NoError(b, err)
	return (run.ProcessState.UserTime() + run.ProcessState.SystemTime()).Seconds(), r.PeakRSSBytes
}

// writeQuestions makes a data set of one-coloured pictures: two short questions about each of 24 for training, and so
// many of some 24 words about the first one or about copies of it.
func writeQuestions(b *testing.B, folder string, questions int, copies bool) {
	colours := []string{"red", "green", "blue"}
	picture := func(name string, i int) {
		img := image.NewRGBA(image.Rect(0, 0, 24, 24))
		for k := range img.Pix {
			img.Pix[k] = 40
		}
		for k := range 24 * 24 {
			img.Pix[4*k+i%3], img.Pix[4*k+3] = 220, 255
		}
		img.Set(i%24, 3, color.White)
		require.NoError(b, os.MkdirAll(filepath.Join(folder, "images"), 0o755))
		f, err := os.Create(filepath.Join(folder, "images", name))
		require.NoError(b, err)
		require.NoError(b, png.Encode(f, img))
		require.NoError(b, f.Close())
	}
	for split, pictures := range map[string]int{"train": 24, "validation": 4, "test": 4} {
		require.NoError(b, os.MkdirAll(filepath.Join(folder, split), 0o755))
		f, err := os.Create(filepath.Join(folder, split, "metadata.jsonl"))
		require.NoError(b, err)
		lines := json.NewEncoder(f)
		ask := func(name, question string, i int) {
			require.NoError(b, lines.Encode(map[string]string{"file_name": "../images/" + name, "question": question, "answer": colours[i%3]}))
		}
		for i := range pictures {
			name := fmt.Sprintf("%s%d.png", split, i)
			picture(name, i)
			ask(name, "what colour is it", i)
			ask(name, "which colour has it", i)
		}
		for i := range questions * min(1, pictures/24) {
			name := split + "0.png"
			if copies {
				name = fmt.Sprintf("copy%d.png", i/2)
				picture(name, 0)
			}
			ask(name, "what colour is it"+strings.Repeat(" this is the picture", 5), 0)
		}
		require.NoError(b, f.Close())
	}
}
