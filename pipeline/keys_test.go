package pipeline

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/runtest"
	"espalier/torch/torchtest"
)

// changed has, for each key, what to set so that it is another one than in tiny.
var changed = map[string][]string{
	"seed": {"seed=4"}, "threads": {"threads=2"}, "workers": {"threads=2", "workers=2"}, "precision": {"precision=bf16"}, "recompute": {"recompute=true"},
	"store": nil, "store_limit": {"store_limit=3 GB"}, "keep_every": {"keep_every=9m"}, "output": nil,
	"data.size":       {"data.size=36"},
	"data.row_tokens": {"data.row_tokens=30"}, "data.train": {"data.train=40"}, "data.validation": {"data.validation=9"}, "data.test": {"data.test=9"}, "data.ood": {"data.ood=9"},
	"data.on_error":      {"data.on_error=skip"},
	"data.vary.strength": {"data.vary.strength=0.5"}, "data.vary.shift": {"data.vary.shift=0.1"}, "data.vary.scale": {"data.vary.scale=0.1"}, "data.vary.brightness": {"data.vary.brightness=0.1"},
	"data.vary.contrast": {"data.vary.contrast=0.2"}, "data.vary.saturation": {"data.vary.saturation=0.2"}, "data.vary.noise": {"data.vary.noise=0.1"}, "data.vary.erase": {"data.vary.erase=0.2"},
	"data.vary.erase_side": {"data.vary.erase_side=0.1"}, "data.vary.outputs": {"data.vary.outputs=varied"}, "data.vary.teacher": {"data.vary.teacher=true"},
	"importance.pictures": {"importance.pictures=8"}, "importance.batch": {"importance.batch=4"},
	"teacher.top_k":                {"teacher.top_k=4"},
	"teacher.train.pretrain_steps": {"teacher.train.pretrain_steps=1"}, "teacher.train.steps": {"teacher.train.steps=4"}, "teacher.train.refine_steps": {"teacher.train.refine_steps=1"},
	"teacher.train.batch": {"teacher.train.batch=6"}, "teacher.train.lr": {"teacher.train.lr=2e-3"}, "teacher.train.weight_decay": {"teacher.train.weight_decay=0.1"},
	"teacher.train.warmup": {"teacher.train.warmup=0.5"}, "teacher.train.clip": {"teacher.train.clip=0.5"}, "teacher.train.precision": {"teacher.train.precision=bf16"},
	"teacher.train.accept":       {"teacher.train.accept=0"},
	"teacher.train.vision.width": {"teacher.train.vision.width=28"}, "teacher.train.vision.layers": {"teacher.train.vision.layers=3"}, "teacher.train.vision.heads": {"teacher.train.vision.heads=3"},
	"teacher.train.vision.head_size": {"teacher.train.vision.head_size=4"}, "teacher.train.vision.ffn": {"teacher.train.vision.ffn=40"}, "teacher.train.vision.patch": {"teacher.train.vision.patch=16"},
	"teacher.train.qformer.width": {"teacher.train.qformer.width=28"}, "teacher.train.qformer.layers": {"teacher.train.qformer.layers=3"}, "teacher.train.qformer.heads": {"teacher.train.qformer.heads=2"},
	"teacher.train.qformer.head_size": {"teacher.train.qformer.head_size=4"}, "teacher.train.qformer.ffn": {"teacher.train.qformer.ffn=32"},
	"teacher.train.qformer.queries": {"teacher.train.qformer.queries=3"}, "teacher.train.qformer.cross_every": {"teacher.train.qformer.cross_every=1"},
	"teacher.train.language.width": {"teacher.train.language.width=28"}, "teacher.train.language.layers": {"teacher.train.language.layers=3"}, "teacher.train.language.heads": {"teacher.train.language.heads=2"},
	"teacher.train.language.head_size": {"teacher.train.language.head_size=4"}, "teacher.train.language.ffn": {"teacher.train.language.ffn=32"}, "teacher.train.language.positions": {"teacher.train.language.positions=41"},
	"stage.name":  {"stage.1.name=blocks", "stage.1.keep={ qformer = 1 }", "stage.1.loss=cross-entropy", "stage.1.criterion=gradient"},
	"target.name": {"target.name=x", "target.ratio=3"}, "target.ratio": {"target.ratio=3"}, "target.language_ratio": {"target.language_ratio=3"}, "target.parameters": {"target.parameters=9000"},
	"target.bytes": {"target.bytes=40 kB"}, "target.divisions": {"target.ratio=3", "target.divisions=1"},
	"stage.candidates": {`stage.blocks.candidates=["last"]`}, "stage.candidate_steps": {"stage.blocks.candidate_steps=1", "stage.blocks.distil.steps=8"},
	"stage.ranking":   {"stage.inner.ranking=tower", "stage.inner.keep.qformer={ heads = 2 }"},
	"stage.criterion": {"stage.hidden.criterion=magnitude"}, "stage.loss": {"stage.hidden.loss=margin"}, "stage.cuts": {"stage.hidden.cuts=3"},
	"stage.alpha": {"stage.hidden.alpha=0.9"}, "stage.alpha_task": {"stage.hidden.alpha_task=0.9"}, "stage.gate": {"stage.hidden.gate=held"}, "stage.retry.steps": {"stage.hidden.retry.steps=3"}, "stage.retry.cuts": {"stage.hidden.retry.cuts=3"},
	"stage.keep.vision": {"stage.hidden.keep.vision=12"}, "stage.keep.qformer": {"stage.hidden.keep.qformer=8"}, "stage.keep.language": {"stage.hidden.keep.language=8"},
	"stage.keep.queries": {"stage.hidden.keep.queries=3"}, "stage.keep.vocabulary": {"stage.hidden.keep.vocabulary=80"},
	"stage.keep.vision.heads": {"stage.inner.keep.vision={ heads = 1, ffn = \"50%\" }"}, "stage.keep.vision.head_size": {"stage.inner.keep.vision={ heads = 2, head_size = 4, ffn = \"50%\" }"},
	"stage.keep.vision.ffn":    {"stage.inner.keep.vision={ heads = 2, ffn = 8 }"},
	"stage.keep.qformer.heads": {"stage.inner.keep.qformer={ heads = 2 }"}, "stage.keep.qformer.head_size": {"stage.inner.keep.qformer={ heads = 2, head_size = 4, ffn = \"50%\" }"},
	"stage.keep.qformer.ffn":    {"stage.inner.keep.qformer={ ffn = 16 }"},
	"stage.keep.language.heads": {"stage.inner.keep.language={ heads = 1, ffn = \"50%\" }"}, "stage.keep.language.head_size": {"stage.inner.keep.language={ heads = 2, head_size = 4, ffn = \"50%\" }"},
	"stage.keep.language.ffn": {"stage.inner.keep.language={ heads = 2, ffn = 8 }"},
	"stage.distil.steps":      {"stage.hidden.distil.steps=7"}, "stage.distil.lr": {"stage.hidden.distil.lr=1e-3"}, "stage.distil.batch": {"stage.hidden.distil.batch=6"},
	"stage.distil.accumulate": {"stage.hidden.distil.accumulate=1"}, "stage.distil.kl": {"stage.hidden.distil.kl=2"}, "stage.distil.temperature": {"stage.hidden.distil.temperature=2"},
	"stage.distil.kl_form": {"stage.hidden.distil.kl_form=js"}, "stage.distil.correct": {"stage.hidden.distil.correct=0.5"}, "stage.distil.average": {"stage.hidden.distil.average=0.9"},
	"stage.distil.hidden": {"stage.hidden.distil.hidden=0.5"}, "stage.distil.hidden_form": {"stage.hidden.distil.hidden_form=kept"},
	"stage.distil.pair": {"stage.hidden.distil.pair=2"}, "stage.distil.pair_form": {"stage.hidden.distil.pair_form=hinge"}, "stage.distil.margin": {"stage.hidden.distil.margin=0.5"},
	"stage.distil.ce": {"stage.hidden.distil.ce=0.5"}, "stage.distil.freeze": {`stage.hidden.distil.freeze=["vision"]`}, "stage.distil.warmup": {"stage.hidden.distil.warmup=0.5"},
	"stage.distil.weight_decay": {"stage.hidden.distil.weight_decay=0.1"}, "stage.distil.clip": {"stage.hidden.distil.clip=0.5"}, "stage.distil.precision": {"stage.hidden.distil.precision=bf16"},
	"data.stages": {"data.stages=24"}, "eval.batch": {"eval.batch=6"}, "eval.latency_runs": {"eval.latency_runs=4"}, "eval.latency_warmup": {"eval.latency_warmup=2"},
	"eval.throughput_batch": {"eval.throughput_batch=3"}, "eval.max_answer_tokens": {"eval.max_answer_tokens=5"}, "eval.metrics": {`eval.metrics=["anls"]`},
	"export.format": {"export.format=transformers", "stage.inner.keep.qformer={ heads = 1 }"}, "export.dtype": {"export.dtype=bfloat16"},
	"export.torchscript": {"export.torchscript=true"},
}

// Keys whose change is another run altogether, which other tests make: other data, another teacher, another machine.
var otherRuns = []string{"device", "data.source", "data.root", "data.split", "data.split_seed", "data.prompt", "data.ads.occluded", "data.ads.jitter", "data.sequences.tasks", "data.sequences.shortest", "data.sequences.longest", "data.sequences.ood_longest",
	"target.latency_ms", // one that no teacher meets and every machine's students can is none for a test; pipeline/target has made-up clocks
	"teacher.checkpoint", "teacher.train.towers", "teacher.train.config", "teacher.train.tokenizer",
	"energy.trials", "energy.window", "energy.batch", "energy.claim_kwh", "energy.models", "energy.requests_per_s", "energy.teacher_joules", "energy.student_joules",
	"energy.core_watts", "energy.hardware", "energy.server", "energy.pue"} // a minute and a half of measuring: see TestEnergyOfARun

// Keys that judge results or data, or say what to do about what is at fault: they move no result of a step.
var judges = []string{"teacher.train.accept", "stage.alpha", "stage.alpha_task", "stage.gate", "stage.retry.steps", "stage.retry.cuts", "data.on_error", "eval.metrics"}

// Each key, changed, moves the fingerprint of a step, or it is declared as moving none, or judges results alone; then the
// student has the same bytes.
func TestEveryKeyMovesAFingerprint(t *testing.T) {
	torchtest.Setup(t)
	store := t.TempDir()
	run := func(set ...string) (ids []string, weights []byte) {
		out := filepath.Join(t.TempDir(), "run")
		cfg, err := config.Parse("tiny.toml", runtest.Tiny, append([]string{"output=" + out, "store=" + store}, set...)...)
		require.NoError(t, err, "%v", set)
		_, err = runWith(context.Background(), cfg, nil)
		require.NoError(t, err, "%v", set)
		all, err := chain.List(out)
		require.NoError(t, err)
		for _, l := range all {
			ids = append(ids, l.ID)
		}
		slices.Sort(ids)
		return ids, student(t, out)
	}
	base, weights := run()
	for i, k := range config.Keys() {
		if slices.Contains(otherRuns, k.Path()) {
			continue
		}
		set, known := changed[k.Path()]
		if !assert.True(t, known, "%s: say in this test how it is changed", k.Path()) {
			continue
		}
		if i%runtest.Sample(9) > 0 && k.Moves && !slices.Contains(judges, k.Path()) {
			continue
		}
		ids, got := run(set...)
		if k.Moves && !slices.Contains(judges, k.Path()) {
			assert.NotEqual(t, base, ids, "%s moves no fingerprint", k.Path())
			continue
		}
		assert.Equal(t, base, ids, "%s moves a fingerprint, and must not", k.Path())
		assert.True(t, string(weights) == string(got), k.Path())
	}
}
