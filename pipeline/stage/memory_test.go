package stage

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/network"
	"espalier/pipeline/teacher"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// plannedFor is the plan of a run on the small network of a family, held in a dtype.
func plannedFor(t *testing.T, c *config.Config, d torch.DType) (*planned, model.Network) {
	m := smallNetwork(t)
	p := &planned{cfg: c, sizes: map[string]int{}, batch: shapes{patches: 17, queries: 4, text: 30, answers: 8, asked: 5}}
	for key := range model.DtypesOf(m) {
		p.sizes[key] = d.Size()
	}
	return p, m
}

func TestMemoryOfDistillation(t *testing.T) {
	torchtest.Setup(t)
	distil := config.DistilConfig{Steps: 1, Batch: 4, Precision: "fp32"}
	p, m := plannedFor(t, &config.Config{}, torch.BFloat16)
	count := func(trained bool, frozen ...string) (n int64) {
		for _, param := range m.Store().Params() {
			if param.Trains(frozen...) == trained {
				n += int64(param.Count())
			}
		}
		return n
	}
	head := int64(85 * 32)
	all := p.distilling("", m, distil)
	assert.Equal(t, 4*count(true)+4*head, all.Weights, "float32, and the teacher's head")
	assert.Equal(t, 4*count(true), all.Gradients)
	assert.Equal(t, 8*count(true), all.Optimizer)

	p, m = plannedFor(t, &config.Config{}, torch.BFloat16)
	distil.Freeze = []string{"vision", "embeddings"}
	part := p.distilling("", m, distil)
	require.NotZero(t, count(false, distil.Freeze...))
	assert.Equal(t, 4*count(true, distil.Freeze...)+2*count(false, distil.Freeze...), part.Weights, "what is frozen stays in halves")
	assert.Equal(t, 8*count(true, distil.Freeze...), part.Optimizer)

	p, m = plannedFor(t, &config.Config{Data: config.DataConfig{Vary: &config.VaryConfig{Strength: 1, Shift: .1, Outputs: "varied"}}}, torch.BFloat16)
	p.teacher, p.heard = m, 12345
	beside := p.distilling("", m, distil)
	assert.Equal(t, part.Weights+12345, beside.Weights, "the teacher that is heard at each step")
	assert.Greater(t, beside.Forwarded, part.Forwarded)

	p, m = plannedFor(t, &config.Config{Recompute: true}, torch.BFloat16)
	assert.Less(t, p.distilling("", m, distil).Forwarded, part.Forwarded)
	assert.Greater(t, part.Forwarded, 2*4*head, "the frozen head is read in float32")
}

// What the losses may be asked for is reckoned with.
func TestMemoryOfLosses(t *testing.T) {
	torchtest.Setup(t)
	distil := config.DistilConfig{Steps: 1, Batch: 4, Precision: "fp32"}
	of := func(d config.DistilConfig) estimate {
		p, m := plannedFor(t, &config.Config{}, torch.Float32)
		p.teacher, p.heard = m, 1000
		return p.distilling("", m, d)
	}
	plain := of(distil)
	distil.Average = .9
	assert.Equal(t, plain.Optimizer+plain.Gradients, of(distil).Optimizer, "one more number a parameter")
	distil.Hidden = 1
	assert.Equal(t, plain.Weights+1000, of(distil).Weights, "the teacher")

	p, m := plannedFor(t, &config.Config{}, torch.Float32)
	const logits = 4 * 8 * 85
	assert.EqualValues(t, 4*8*logits, p.logits(m, 4, logits))
	assert.EqualValues(t, 4*(4*logits+8*100), p.logits(m, 4, 100), "in chunks of 100")
}

// The peak is found among all pieces of work of all stages.
func TestPeakOfARun(t *testing.T) {
	torchtest.Setup(t)
	c := config.Default()
	for _, name := range []string{"blocks", "inner", "hidden"} {
		s := config.DefaultStage()
		s.Name, s.Distil.Batch = name, 1
		c.Stages = append(c.Stages, s)
	}
	m := smallNetwork(t)
	train := &corpus.Corpus{Asked: corpus.Asked{Questions: [][]model.Question{{{Prompt: make([]int, 9), Answer: make([]int, 3)}}}}}
	c.Importance.Batch, c.Eval.Batch = 1, 1
	quiet, err := peakOf(c, m, model.DtypesOf(m), train)
	require.NoError(t, err)
	c.Stages[1].Distil.Steps, c.Stages[1].Distil.Batch = 1, 4000
	peak, err := peakOf(c, m, model.DtypesOf(m), train)
	require.NoError(t, err)
	assert.Equal(t, "distillation of stage inner", peak.What)
	assert.Greater(t, peak.total(), 2*quiet.total())
	c.Data.Vary = &config.VaryConfig{Strength: 1, Shift: .1, Outputs: "varied"}
	beside, err := peakOf(c, m, model.DtypesOf(m), train)
	require.NoError(t, err)
	var weights int64
	for _, param := range m.Store().Params() {
		weights += 4 * int64(param.Count())
	}
	assert.Equal(t, peak.Weights+weights, beside.Weights, "the teacher is there as well")
}

// The error of a run without enough memory says what it needs at the least; other errors stay as they are.
func TestShortMemoryIsExplained(t *testing.T) {
	torchtest.Setup(t)
	c, m := config.Default(), smallNetwork(t)
	s := config.DefaultStage()
	s.Name, s.Distil.Batch = "inner", 4000
	c.Stages = append(c.Stages, s)
	in := Input{Config: c, Teacher: &teacher.Teacher{Held: network.New("", m, nil, nil), Dtypes: model.DtypesOf(m)},
		Train: &corpus.Corpus{Reading: corpus.Reading{On: torch.CPU}, Asked: corpus.Asked{Questions: [][]model.Question{{{Prompt: make([]int, 9), Answer: make([]int, 3)}}}}}}
	other := errors.New("other")
	assert.Equal(t, other, ExplainShort(other, in, 0))
	assert.NoError(t, ExplainShort(nil, in, 0))
	short := &torch.OutOfMemory{What: "scores, a batch in 8 pieces", Err: &torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: "no room"}}
	for _, err := range []error{short, short.Err} {
		told := ExplainShort(fmt.Errorf("stage inner: %w", err), in, 5<<30)
		assert.ErrorIs(t, told, err)
		assert.Regexp(t, `no room \(the run needs about 5\.[34] GiB even with one picture at a time, most of it in the proof of stage inner; .* are there\)$`, told.Error())
	}
	assert.Equal(t, 4000, c.Stages[0].Distil.Batch)
}

// smallNetwork is a BLIP-2 with OPT of 85 words and a width of 32.
func smallNetwork(t *testing.T) model.Network {
	t.Helper()
	c, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "num_query_tokens": 4, "image_token_index": -1,
		"vision_config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": 48, "patch_size": 12},
		"qformer_config": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4, "encoder_hidden_size": 32},
		"text_config": {"model_type": "opt", "hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
			"max_position_embeddings": 60, "vocab_size": 85, "pad_token_id": 1, "eos_token_id": 2}}`))
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	require.NoError(t, m.Store().Init(1, torch.CPU))
	t.Cleanup(m.Store().Free)
	return m
}
