package target

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/datatest"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// solvable is the default job without what its stages keep, and its teacher without values.
func solvable(t *testing.T, set ...string) (*config.Config, model.Network) {
	t.Helper()
	c, err := config.Load("../../run.toml", append([]string{"target.ratio=2"}, set...)...)
	require.NoError(t, err)
	for i := range c.Stages {
		c.Stages[i].Keep = config.Towers{}
	}
	n, err := c.Teacher.Train.Declared(c.Data.Size)
	require.NoError(t, err)
	return c, n
}

func spaceOf(t *testing.T, set ...string) *space {
	t.Helper()
	c, n := solvable(t, set...)
	return newSpace(c, n, model.DtypesBy(n, func(*nn.Param) torch.DType { return torch.Float32 }))
}

// Every kind of size is met from below, within two per cent, by every division; the counts are those of the network that the stages
// then leave.
func TestDivisionsMeetTheirTarget(t *testing.T) {
	s := spaceOf(t)
	whole := s.at(s.whole())
	for _, target := range []struct {
		key  string
		want float64
	}{{"ratio", 2}, {"ratio", 18.5}, {"ratio", 58}, {"language_ratio", 10}, {"parameters", 300_000}, {"bytes", 500_000}} {
		t.Run(fmt.Sprintf("%s %g", target.key, target.want), func(t *testing.T) {
			l := limitOf(target.key, target.want, whole)
			for _, f := range favours[:3] {
				p := s.divide(f, l)
				require.NotNil(t, p, f.name)
				assert.LessOrEqual(t, l.of(p), l.most, f.name)
				assert.GreaterOrEqual(t, l.of(p), .98*l.most, f.name)

				n, err := s.config(p.Units).Stages.Final(s.teacher)
				require.NoError(t, err)
				assert.Equal(t, int(p.Parameters), n.Store().Count(), f.name)
				assert.Equal(t, 4*p.Parameters, p.Bytes)
				assert.Equal(t, int(p.LanguageBlocks), n.Store().CountByPart()["language_blocks"])
			}
		})
	}
}

// A student of int8 is computed in float32, and is counted as its file holds it: with the scales of its rows, and its vectors in float32.
func TestTargetsOfInt8(t *testing.T) {
	torchtest.Setup(t)
	c, n := solvable(t, "export.dtype=int8")
	dtypes := model.DtypesBy(n, func(*nn.Param) torch.DType { return torch.Float32 })
	s := newSpace(c, n, dtypes)
	assert.Equal(t, torch.Float32, (&timer{in: Input{Config: c, Teacher: n, Dtypes: dtypes}, space: s}).dtype())
	p := s.divide(favours[0], limitOf("bytes", 200_000, s.uncut()))
	require.NotNil(t, p)
	student, err := s.config(p.Units).Stages.Final(n)
	require.NoError(t, err)
	require.NoError(t, student.Store().Init(1, torch.CPU))
	defer student.Store().Free()
	stored, err := model.Stored(student, c.ExportDtypes(dtypes))
	require.NoError(t, err)
	defer stored.Store().Free()
	bytes := 0
	for _, param := range stored.Store().Params() {
		bytes += param.Bytes()
	}
	assert.EqualValues(t, bytes, p.Bytes)
}

// What a stage's keep says stays at least; what is favoured gets more than in the even division.
func TestBoundsAndFavours(t *testing.T) {
	s := spaceOf(t, "stage.blocks.keep.vision=3", "stage.inner.keep.language.heads=3")
	for i, v := range s.vars {
		if v.kind == nn.Blocks && v.tower == "vision" {
			assert.Equal(t, 1, v.least, "solvable takes keep away")
		}
		assert.Positive(t, v.step, i)
	}
	c, n := solvable(t)
	c.Stages[0].Keep.Vision.Units = config.Keep{Units: 3}
	bound := newSpace(c, n, model.DtypesBy(n, func(*nn.Param) torch.DType { return torch.Float32 }))
	l := limitOf("ratio", 40, bound.at(bound.whole()))
	even := bound.divide(favours[0], l)
	require.NotNil(t, even)
	at := func(s *space, p *Point, tower string, kind nn.Kind) int {
		for i, v := range s.vars {
			if v.tower == tower && v.kind == kind {
				return p.Units[i]
			}
		}
		return 0
	}
	assert.GreaterOrEqual(t, at(bound, even, "vision", nn.Blocks), 3)

	free := spaceOf(t)
	l = limitOf("ratio", 15, free.at(free.whole()))
	even, fewer := free.divide(favours[0], l), free.divide(favours[1], l)
	blocks := func(p *Point) (n int) {
		for _, tower := range config.TowerNames {
			n += at(free, p, tower, nn.Blocks)
		}
		return n
	}
	assert.Equal(t, "fewer blocks", fewer.Name)
	assert.Less(t, blocks(fewer), blocks(even))
}

// Deep stages make several cuts, and never so many that steps are few; what a user asks for is not made less.
func TestDeepStagesMakeSeveralCuts(t *testing.T) {
	cuts := func(ratio float64, set ...string) (all []int) {
		s := spaceOf(t, set...)
		p := s.divide(favours[0], limitOf("ratio", ratio, s.at(s.whole())))
		c := s.config(p.Units)
		deepen(c, s.vars, p.Units)
		for _, stage := range c.Stages {
			all = append(all, stage.Cuts)
		}
		return all
	}
	mild, deep := cuts(1.5), cuts(58)
	assert.Equal(t, []int{1, 1, 4}, mild, "run.toml's hidden stage asks for four")
	assert.Equal(t, 2, deep[0], "one block of four stays")
	assert.GreaterOrEqual(t, deep[1], 2)
	assert.GreaterOrEqual(t, deep[2], 4)
	assert.LessOrEqual(t, cuts(58, "stage.inner.distil.steps=80")[1], 2)
	assert.Equal(t, 9, cuts(1.5, "stage.hidden.cuts=9")[2])
}

// A target beyond the smallest student gives none.
func TestTargetsBeyondTheSmallest(t *testing.T) {
	s := spaceOf(t)
	for _, f := range favours[:2] {
		assert.Nil(t, s.divide(f, limitOf("ratio", 1e5, s.at(s.whole()))))
	}
}

// For plain transformers the widths of a division are heads × head size, and the sizes are met all the same; also where little is
// cut, so that heads or widths alone would be.
func TestDivisionsThatTransformersLoads(t *testing.T) {
	for _, ratio := range []float64{1.1, 1.4, 12} {
		s := spaceOf(t, "export.format=transformers", "teacher.train.vision.heads=5", "teacher.train.vision.head_size=32")
		l := limitOf("ratio", ratio, s.uncut())
		for _, f := range favours[:2] {
			p := s.divide(f, l)
			require.NotNil(t, p)
			assert.LessOrEqual(t, l.of(p), l.most)
			assert.GreaterOrEqual(t, l.of(p), .95*l.most, "widths come in whole heads")
			_, err := s.config(p.Units).FitExport(s.teacher)
			require.NoError(t, err, "%g, %s", ratio, f.name)
		}
	}
}

// A ratio is that to the teacher, with all of its tokens.
func TestTargetsCountCutTokens(t *testing.T) {
	c, n := solvable(t)
	c.Stages[0].Keep.Vocabulary = config.VocabularyKeep{Most: config.Keep{Units: 1}}
	s := newSpace(c, n, model.DtypesBy(n, func(*nn.Param) torch.DType { return torch.Float32 }))
	assert.Equal(t, int64(n.Store().Count()), s.uncut().Parameters)
	assert.Less(t, s.at(s.whole()).Parameters, s.uncut().Parameters)
}

// What is timed is what is counted: a network with the tokens that stay.
func TestCutTokensAreTimed(t *testing.T) {
	c, n := solvable(t)
	c.Stages[0].Keep.Vocabulary = config.VocabularyKeep{Most: config.Keep{Units: 2}}
	s := newSpace(c, n, model.DtypesBy(n, func(*nn.Param) torch.DType { return torch.Float32 }))
	for _, units := range [][]int{s.whole(), s.least()} {
		sizes, err := s.structure(s.at(units))
		require.NoError(t, err)
		timed, err := n.Rebuild(sizes)
		require.NoError(t, err)
		assert.EqualValues(t, s.at(units).Parameters, timed.Store().Count())
	}
}

// A network answers questions in ids that it has lost, its decoder's first one too; they stay what they are for others.
func TestLatencyOfCutTokens(t *testing.T) {
	torchtest.Setup(t)
	c, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "num_query_tokens": 2,
		"vision_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8, "patch_size": 4},
		"qformer_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "encoder_hidden_size": 16},
		"text_config": {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2, "vocab_size": 64, "decoder_start_token_id": 40}}`))
	require.NoError(t, err)
	teacher, err := model.New(c)
	require.NoError(t, err)
	tokens := config.AxesOf([]nn.Kind{nn.Vocabulary}, teacher)[0]
	n, err := teacher.Rebuild(teacher.Store().Cut(map[*nn.Axis][]int{tokens: {0, 1, 2, 3, 4, 5, 6, 7, 40}}).Structure)
	require.NoError(t, err)
	require.NoError(t, n.Store().Init(1, torch.CPU))
	defer n.Store().Free()
	set := datatest.Black(t, datatest.Row{Picture: "1.png", Question: "q", Answer: "a"})
	asked, err := corpus.New(set.Train, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, Pre: model.AdsPreprocessor(8), On: torch.CPU})
	require.NoError(t, err)
	asked.Asked.Questions[0][0].Prompt = []int{60, 3, 9}
	ms, err := latency(context.Background(), n, profileInput{Questions: asked, MaxTokens: 2})
	require.NoError(t, err)
	assert.Positive(t, ms)
	assert.Equal(t, []int{60, 3, 9}, asked.Asked.Questions[0][0].Prompt)
	assert.Equal(t, 40, teacher.Config().Text.Start)
}

// The clock finds the rates that latencies were made of. Where one of them says nothing it is not 0: a tower without a price would stay whole.
func TestClockFindsTheRates(t *testing.T) {
	s := spaceOf(t)
	points := s.sampled(24, math.Inf(1))
	require.Len(t, points, 24)
	fitted := func(rates []float64) (*clock, []float64) {
		ms := make([]float64, len(points))
		for i, p := range points {
			for k, x := range p.features() {
				ms[i] += rates[k] * x
			}
		}
		return fit(points, ms), ms
	}
	c, ms := fitted([]float64{.3, .05, .05, .09, 1e-6, 1e-6, 2e-6, 2e-6, 4e-6})
	for i, p := range points {
		assert.InEpsilon(t, ms[i], c.of(p), 1e-2)
	}
	even := s.divide(favours[0], limit{c.of, .8})
	require.NotNil(t, even)
	assert.InDelta(t, .79, c.of(even), .011)

	c, ms = fitted([]float64{.3, .05, 0, .09, 1e-6, 1e-6, 0, 0, 0})
	for i, p := range points {
		assert.InEpsilon(t, ms[i], c.of(p), .2)
	}
	for k, r := range c.rates {
		assert.Positive(t, r, k)
	}
}

// Predictions that are off by a factor, and by another one for small networks, still lead to the goal within the corrections.
func TestPacesLeadToTheGoal(t *testing.T) {
	for _, measured := range []func(float64) float64{
		func(x float64) float64 { return 3 * x }, func(x float64) float64 { return x / 4 }, func(x float64) float64 { return 2 + .5*x },
		func(x float64) float64 { return 5 * math.Pow(x, .4) }, func(x float64) float64 { return .3 * math.Pow(x, 1.8) },
	} {
		const goal = 6.
		var seen []pace
		at := goal
		for range corrections {
			seen = append(seen, pace{math.Log(at), math.Log(measured(at))})
			if math.Abs(measured(at)/goal-1) < .04 {
				break
			}
			at = math.Exp(nextPace(seen, math.Log(goal)))
		}
		assert.InEpsilon(t, goal, math.Exp(seen[len(seen)-1].measured), .04)
	}
}

// Points that are picked differ; the first one stays the first.
func TestFarApart(t *testing.T) {
	a, b, c := &Point{Units: []int{8, 8}}, &Point{Units: []int{8, 7}}, &Point{Units: []int{2, 8}}
	assert.Equal(t, []*Point{a, c}, farApart([]*Point{a, b, c}, 2))
	assert.Equal(t, []*Point{a, c, b}, farApart([]*Point{a, b, c}, 9))
	assert.Equal(t, []*Point{a}, farApart([]*Point{a, a}, 2))
}

// Where a stage is there for tokens the solver chooses how many query tokens stay; their number changes the time that the Q-Former
// and the language model take, and a user's bound holds.
func TestQueryTokensAreChosen(t *testing.T) {
	c, n := solvable(t)
	tokens := config.DefaultStage()
	tokens.Name = "tokens"
	c.Stages = append(c.Stages, tokens)
	dtypes := model.DtypesBy(n, func(*nn.Param) torch.DType { return torch.Float32 })
	s := newSpace(c, n, dtypes)
	at := -1
	for i, v := range s.vars {
		if v.kind == nn.Queries {
			at = i
		}
	}
	require.NotEqual(t, -1, at)
	assert.Equal(t, 16, s.vars[at].most)
	units := s.whole()
	units[at] = 4
	p, whole := s.at(units), s.at(s.whole())
	assert.Equal(t, whole.Parameters-12*128, p.Parameters)
	assert.Less(t, p.features()[5], whole.features()[5])
	assert.Contains(t, s.words(p), "qformer 4 queries, 4 blocks")
	assert.Equal(t, config.Keep{Units: 4}, s.config(units).Stages[3].Keep.Queries)

	c.Stages[3].Keep.Queries = config.Keep{Units: 8}
	assert.Equal(t, 8, newSpace(c, n, dtypes).vars[at].least)
}
