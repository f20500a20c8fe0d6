package model

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// leanNetwork is a drawn network of a form; its sizes are no multiples of a register's.
func leanNetwork(t *testing.T, model, text string) *Blip2 {
	t.Helper()
	keys := `{"model_type": "` + model + `", "num_query_tokens": 5, "image_token_index": 63,
		"vision_config": {"hidden_size": 44, "intermediate_size": 83, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 24, "patch_size": 8},
		"qformer_config": {"hidden_size": 36, "intermediate_size": 41, "num_hidden_layers": 3, "num_attention_heads": 3, "encoder_hidden_size": 44,
			"vocab_size": 40, "max_position_embeddings": 20},
		"text_config": ` + text + `}`
	c, err := ParseConfig([]byte(keys))
	require.NoError(t, err)
	m, err := New(c)
	require.NoError(t, err)
	require.NoError(t, m.store.Init(7, torch.CPU))
	t.Cleanup(m.store.Free)
	return m
}

const (
	leanOPT = `{"model_type": "opt", "hidden_size": 40, "word_embed_proj_dim": 28, "ffn_dim": 57, "num_hidden_layers": 3,
		"num_attention_heads": 4, "max_position_embeddings": 40, "vocab_size": 61, "eos_token_id": 1}`
	leanLlama = `{"model_type": "llama", "hidden_size": 40, "intermediate_size": 57, "num_hidden_layers": 2, "num_attention_heads": 4,
		"num_key_value_heads": 2, "vocab_size": 61, "max_position_embeddings": 40}`
	leanT5 = `{"model_type": "t5", "d_model": 24, "d_kv": 6, "d_ff": 41, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4, "vocab_size": 61,
		"feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0}`
)

// heard is the answers and the log-probabilities of their tokens.
type heard struct {
	answers  [][][]int
	logProbs [][][]float64
}

func hear(t *testing.T, answer func(o GenerateOptions) ([][][]int, error), o GenerateOptions) (h heard) {
	t.Helper()
	o.LogProbs = &h.logProbs
	answers, err := answer(o)
	require.NoError(t, err)
	h.answers = answers
	return h
}

// ordinarily answers without a program.
func ordinarily(m *Blip2, pictures *torch.Tensor, questions [][]Question) func(GenerateOptions) ([][][]int, error) {
	return func(o GenerateOptions) (answers [][][]int, err error) {
		torch.Inference(func() { answers, err = m.generate(pictures, questions, o) })
		return answers, err
	}
}

// farthest is the largest difference between log-probabilities of the same answers.
func farthest(t *testing.T, a, b heard) (most float64) {
	t.Helper()
	require.Equal(t, a.answers, b.answers)
	for i := range a.logProbs {
		for j := range a.logProbs[i] {
			require.Len(t, b.logProbs[i][j], len(a.logProbs[i][j]))
			for k, p := range a.logProbs[i][j] {
				most = max(most, math.Abs(p-b.logProbs[i][j][k]))
			}
		}
	}
	return most
}

// A program's answers are those of the ordinary way, and its logits as near to those in float64.
func TestLeanAnswersEqualOrdinary(t *testing.T) {
	for _, family := range [][2]string{{"blip-2", leanOPT}, {"blip-2", leanLlama}, {"blip-2", leanT5}, {"instructblip", leanLlama}, {"instructblip", leanT5}} {
		m := leanNetwork(t, family[0], family[1])
		t.Run(family[0]+" "+m.config.Text.ModelType, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				exact, err := Convert(m, torch.Float64, torch.CPU)
				require.NoError(t, err)
				defer exact.Store().Free()
				pictures := torch.NewGenerator(3).Randn(3, 3, 24, 24)
				questions := [][]Question{{{Prompt: []int{11}}, {Prompt: []int{5, 6, 7, 8, 9}}}, {}, {{Prompt: []int{4, 2}}, {Prompt: []int{12}}}}
				if m.Form().Instruct {
					for i, qs := range questions {
						for j := range qs {
							qs[j].Instruction = []int{7, 3 + i, 9, 4 + j}[i:]
						}
					}
				}
				o := GenerateOptions{MaxTokens: 6, MinTokens: 2, Ends: []int{1, 9}}
				leanly := func(o GenerateOptions) ([][][]int, error) {
					answers, ok, err := m.leanly(pictures, questions, o)
					require.True(t, ok, "refused: %v", m.lean.refused)
					return answers, err
				}
				want := hear(t, ordinarily(exact.(*Blip2), pictures.To(torch.Float64), questions), o)
				plain := hear(t, ordinarily(m, pictures, questions), o)
				for range 2 { // recording, and with all parts there
					assert.LessOrEqual(t, farthest(t, want, hear(t, leanly, o)), 4*farthest(t, want, plain)+1e-6)
				}
			})
		})
	}
}

// The rows of several pictures are computed together, and an answer is to the last bit what it is alone, also beside one that no program computes.
func TestLeanAnswersDoNotDependOnTheBatch(t *testing.T) {
	for _, family := range [][2]string{{"blip-2", leanOPT}, {"blip-2", leanLlama}, {"instructblip", leanT5}} {
		m := leanNetwork(t, family[0], family[1])
		t.Run(family[0]+" "+m.config.Text.ModelType, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				const count = 19 // more than go together
				pictures := torch.NewGenerator(3).Randn(count, 3, 24, 24)
				questions := make([][]Question, count)
				for i := range questions {
					for j := range i % 4 {
						q := Question{Prompt: []int{5 + i, 6, 7, 8 + j, 9}[:1+(i+j)%5]}
						if m.Form().Instruct {
							q.Instruction = []int{7, 3, 9, 4 + j}[j:]
						}
						questions[i] = append(questions[i], q)
					}
				}
				long := Question{Prompt: slices.Repeat([]int{5, 17, 8}, 100), Instruction: []int{7}}
				if family[1] == leanT5 { // the others have no positions for it
					questions[3] = append(questions[3][:1:1], append([]Question{long}, questions[3][1:]...)...)
				}
				o := GenerateOptions{MaxTokens: 6, Ends: []int{1, 9, 20, 33}}
				together := hear(t, func(o GenerateOptions) ([][][]int, error) { return m.Generate(pictures, questions, o) }, o)
				lengths := map[int]bool{}
				for i := range questions {
					alone := hear(t, func(o GenerateOptions) ([][][]int, error) {
						return m.Generate(pictures.Narrow(0, i, 1).Contiguous(), questions[i:i+1], o)
					}, o)
					assert.Equal(t, alone.answers[0], together.answers[i])
					for j, q := range questions[i] {
						if len(q.Prompt) == len(long.Prompt) {
							assert.InDeltaSlice(t, alone.logProbs[0][j], together.logProbs[i][j], 1e-4)
							assert.False(t, m.Recorded(q, o.MaxTokens))
							continue
						}
						assert.Equal(t, alone.logProbs[0][j], together.logProbs[i][j])
					}
					for _, answer := range alone.answers[0] {
						lengths[len(answer)] = true
					}
				}
				assert.Greater(t, len(lengths), 1, "all answers are equally long")
				assert.NoError(t, m.lean.refused)
			})
		})
	}
}

// What a program cannot answer is known, and why.
func TestLeanRefusals(t *testing.T) {
	opt := leanNetwork(t, "blip-2", leanOPT)
	o := GenerateOptions{MaxTokens: 2}
	assert.NoError(t, opt.leanRefusal(o))
	assert.ErrorContains(t, opt.leanRefusal(GenerateOptions{MaxTokens: 2, Beams: 2}), "beams")
	assert.ErrorContains(t, opt.leanRefusal(GenerateOptions{MaxTokens: leanTokens + 1}), "64 tokens")
	instruct := leanNetwork(t, "instructblip", leanOPT)
	words := []int{3}
	for _, c := range []struct {
		m      *Blip2
		q      Question
		tokens int
		want   bool
	}{
		{opt, Question{Prompt: words}, leanTokens, true}, {opt, Question{Prompt: words}, leanTokens + 1, false}, {opt, Question{}, 2, false},
		{instruct, Question{Prompt: words}, 2, false}, {instruct, Question{Prompt: words, Instruction: words}, 2, true},
	} {
		assert.Equal(t, c.want, c.m.Recorded(c.q, c.tokens), "%v, %d tokens", c.q, c.tokens)
	}
	torchtest.Run(t, func(*torch.Scope) {
		a := opt.store.Axes()[0]
		a.Gate = torch.Ones([]int{a.Units()}, torch.Float32, torch.CPU)
		defer func() { a.Gate = nil }()
		assert.ErrorContains(t, opt.leanRefusal(o), "a gate")
	})
	double, err := Convert(opt, torch.Float64, torch.CPU)
	require.NoError(t, err)
	defer double.Store().Free()
	torchtest.Run(t, func(*torch.Scope) {
		_, err := double.Generate(torch.Zeros([]int{1, 3, 24, 24}, torch.Float32, torch.CPU), [][]Question{{{Prompt: []int{3}}}}, o)
		require.NoError(t, err)
		assert.Nil(t, double.(*Blip2).lean.program)
		assert.NoError(t, double.(*Blip2).lean.refused, "in float32 it would have one")
	})
}

// A question that fails leaves the program to others: it is gone on with, recorded and freed.
func TestLeanGoesOnAfterAFault(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := leanNetwork(t, "blip-2", leanOPT)
		pictures := torch.NewGenerator(3).Randn(1, 3, 24, 24)
		ask := func(shown *torch.Tensor, prompt ...int) error {
			ended := make(chan error, 1)
			go func() {
				_, err := m.Generate(shown, [][]Question{{{Prompt: prompt}}}, GenerateOptions{MaxTokens: 3})
				ended <- err
			}()
			select {
			case err := <-ended:
				return err
			case <-time.After(time.Minute):
				t.Fatal("it waits for ever")
				return nil
			}
		}
		require.NoError(t, ask(pictures, 5, 6))
		assert.Error(t, ask(pictures, 5, 700), "no such token")
		assert.Error(t, ask(pictures.Reshape(1, 24, 24, 3), 5, 6), "no such picture")
		for range 2 { // what cannot be recorded is not taken for recorded
			assert.ErrorContains(t, ask(pictures, slices.Repeat([]int{5}, 39)...), "40 positions")
			assert.ErrorContains(t, ask(pictures, slices.Repeat([]int{5}, 34)...), "40 positions", "a step of the answer")
		}
		require.NoError(t, ask(pictures, 5, 6, 7), "another length is recorded")
		other := leanNetwork(t, "blip-2", leanOPT)
		for range 2 {
			_, err := other.Generate(torch.Zeros([]int{1, 3, 16, 24}, torch.Float32, torch.CPU), [][]Question{{{Prompt: []int{5}}}}, GenerateOptions{MaxTokens: 3})
			assert.Error(t, err, "the first picture has the wrong size")
		}
		_, err := other.Generate(pictures, [][]Question{{{Prompt: []int{5}}}}, GenerateOptions{MaxTokens: 3})
		require.NoError(t, err)
		assert.NotNil(t, other.lean.program, "the next one's is recorded")
		other.store.Free()
		m.lean.lock.RLock()
		require.NoError(t, ask(pictures, 5, 6), "while another goroutine answers")
		m.lean.lock.RUnlock()
		m.store.Free()
	})
}

// Answers are the same with any number of threads, to the last bit, and no part is recorded that no answer can need.
func TestLeanAnswersWithThreads(t *testing.T) {
	for _, family := range [][2]string{{"blip-2", leanOPT}, {"blip-2", leanLlama}, {"blip-2", leanT5}, {"instructblip", leanT5}} {
		m := leanNetwork(t, family[0], family[1])
		t.Run(family[0]+" "+m.config.Text.ModelType, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				const count = 40
				pictures := torch.NewGenerator(3).Randn(count, 3, 24, 24)
				questions := make([][]Question, count)
				for i := range questions {
					q := Question{Prompt: []int{5 + i%50, 6, 7, 8}[:2+i%3]}
					if m.Form().Instruct {
						q.Instruction = []int{7, 3, 9, 4}[i%2:]
					}
					questions[i] = []Question{q}
				}
				leanly := func(o GenerateOptions) ([][][]int, error) { return m.Generate(pictures, questions, o) }
				o := GenerateOptions{MaxTokens: 7}
				one := hear(t, leanly, o)
				require.NotNil(t, m.lean.program)
				for p := range m.lean.parts {
					assert.LessOrEqual(t, p.Tokens, 5+4+7-2, "%v", p)
				}
				torch.WithThreads(4, func() { assert.Equal(t, one, hear(t, leanly, o)) })
			})
		})
	}
}

// A program answers for the values that the parameters have now.
func TestLeanFollowsParameters(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := leanNetwork(t, "blip-2", leanOPT)
		pictures := torch.NewGenerator(3).Randn(1, 3, 24, 24)
		questions := [][]Question{{{Prompt: []int{5, 6}}}}
		o := GenerateOptions{MaxTokens: 3}
		leanly := func(o GenerateOptions) ([][][]int, error) { return m.Generate(pictures, questions, o) }
		before := hear(t, leanly, o)
		require.NotNil(t, m.lean.program)
		torch.NoGrad(func() {
			w := m.projection.W.T()
			w.CopyFrom(w.MulScalar(-3))
		})
		after := hear(t, leanly, o)
		assert.NotEqual(t, before.logProbs, after.logProbs)
		assert.Less(t, farthest(t, hear(t, ordinarily(m, pictures, questions), o), after), 1e-4)
	})
}

// A network of 16 bits answers as its float32 twin does, for the values that it has now.
func TestLeanTwin(t *testing.T) {
	m := leanNetwork(t, "blip-2", leanOPT)
	for _, d := range []torch.DType{torch.BFloat16, torch.Float16} {
		t.Run(d.String(), func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				n, err := Convert(m, d, torch.CPU)
				require.NoError(t, err)
				short := n.(*Blip2)
				pictures := torch.NewGenerator(3).Randn(2, 3, 24, 24)
				questions := [][]Question{{{Prompt: []int{5, 6}}}, {{Prompt: []int{7}}, {Prompt: []int{8, 9, 10}}}}
				o := GenerateOptions{MaxTokens: 3}
				leanly := func(o GenerateOptions) ([][][]int, error) { return short.Generate(pictures, questions, o) }
				twinly := func() heard {
					twin, err := Convert(short, torch.Float32, torch.CPU)
					require.NoError(t, err)
					defer twin.Store().Free()
					return hear(t, func(o GenerateOptions) ([][][]int, error) { return twin.Generate(pictures, questions, o) }, o)
				}
				before := hear(t, leanly, o)
				assert.Equal(t, twinly(), before)
				require.NotNil(t, short.lean.twin)
				torch.NoGrad(func() {
					w := short.projection.W.T()
					w.CopyFrom(w.MulScalar(-3))
				})
				after := hear(t, leanly, o)
				assert.Equal(t, twinly(), after)
				assert.NotEqual(t, before.logProbs, after.logProbs)
				short.store.Free()
				assert.Nil(t, short.lean.twin)
			})
		})
	}
}

// A program holds the weights a second time, and goes with them.
func TestLeanIsFreedWithTheParameters(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := leanNetwork(t, "blip-2", leanOPT)
		pictures := torch.NewGenerator(3).Randn(1, 3, 24, 24)
		questions := [][]Question{{{Prompt: []int{5, 6}}}}
		leanly := func(o GenerateOptions) ([][][]int, error) { return m.Generate(pictures, questions, o) }
		before := hear(t, leanly, GenerateOptions{MaxTokens: 3})
		program := m.lean.program
		require.NotNil(t, program)
		m.store.Free()
		assert.Nil(t, m.lean.program)
		assert.Panics(t, func() { program.Fresh(nil) }, "it is closed")
		require.NoError(t, m.store.Init(7, torch.CPU))
		assert.Equal(t, before, hear(t, leanly, GenerateOptions{MaxTokens: 3}))
	})
}

// A large network's program is freed where the network trains; its answers stay.
func TestLeanIsFreedByTraining(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := leanNetwork(t, "blip-2", leanOPT)
		pictures := torch.NewGenerator(3).Randn(1, 3, 24, 24)
		leanly := func(o GenerateOptions) ([][][]int, error) {
			return m.Generate(pictures, [][]Question{{{Prompt: []int{5, 6}}}}, o)
		}
		train := func() {
			b, err := m.Form().Pack(pictures, [][]Question{{{Prompt: []int{5, 6}, Answer: []int{3, 1}}}}, torch.CPU)
			require.NoError(t, err)
			m.Hidden(b)
		}
		before := hear(t, leanly, GenerateOptions{MaxTokens: 3})
		train()
		assert.NotNil(t, m.lean.program, "a small one")
		m.lean.numbers = leanKept + 1
		train()
		assert.Nil(t, m.lean.program)
		assert.Equal(t, before, hear(t, leanly, GenerateOptions{MaxTokens: 3}))
	})
}
