package runtest

import (
	"cmp"
	"os"
)

// Device is where the runs of tests compute: on the CPU, or as the variable says, such as "cuda" or "test".
var Device = cmp.Or(os.Getenv("ESPALIER_TEST_RUNS_ON"), "cpu")

// Tiny is a whole run of a few seconds: it learns next to nothing, and every part of it is used.
var Tiny = `
seed = 3
threads = 1
device = "` + Device + `"
[data]
source = "ads"
train = 48
validation = 12
test = 12
ood = 12
[importance]
pictures = 16
batch = 8
[teacher.train]
vision   = { width = 32, layers = 2, heads = 4, head_size = 8, ffn = 48, patch = 12 }
qformer  = { width = 24, layers = 2, heads = 3, head_size = 8, ffn = 40, queries = 4, cross_every = 2 }
language = { width = 24, layers = 2, heads = 3, head_size = 8, ffn = 40, positions = 40 }
pretrain_steps = 2
steps = 3
refine_steps = 2
batch = 8
[[stage]]
name = "blocks"
criterion = "taylor"
keep = { vision = 1, language = 1 }
alpha = 1.0
[stage.distil]
steps = 3
batch = 8
lr = 1e-3
[[stage]]
name = "inner"
criterion = "taylor-sample"
loss = "margin"
keep = { vision = { heads = 2, ffn = "50%" }, language = "50%" }
alpha = 1.0
[stage.distil]
steps = 3
batch = 8
freeze = ["qformer"]
[[stage]]
name = "hidden"
criterion = "gradient"
loss = "distillation"
keep = { vision = 16, qformer = 12, language = "50%" }
cuts = 2
alpha = 1.0
[stage.distil]
steps = 6
batch = 8
accumulate = 2
[eval]
batch = 8
latency_runs = 3
latency_warmup = 1
throughput_batch = 4
max_answer_tokens = 4
`
