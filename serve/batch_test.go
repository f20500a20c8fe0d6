package serve

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/speaker"
	"espalier/pipeline/fault"
)

// network answers each question with its first token, so many times as are asked for, unless it is about to fail.
type network struct {
	begun chan []int    // the questions of each batch
	goOn  chan struct{} // nil lets every batch go on at once
}

const (
	failing   = 666
	panicking = 667
)

func (n *network) Ask(_ []byte, questions []model.Question, o model.GenerateOptions) ([]speaker.Answer, error) {
	var first []int
	for _, q := range questions {
		first = append(first, q.Prompt[0])
	}
	n.begun <- first
	if n.goOn != nil {
		<-n.goOn
	}
	out := make([]speaker.Answer, len(questions))
	for i, q := range questions {
		switch q.Prompt[0] {
		case failing:
			return nil, errors.New("this one fails")
		case panicking:
			panic("this one panics")
		}
		out[i] = speaker.Answer{IDs: slices.Repeat(q.Prompt[:1], o.MaxTokens), LogProbs: make([]float64, o.MaxTokens)}
	}
	return out, nil
}

func newNetwork(held bool) *network {
	n := &network{begun: make(chan []int, 100)}
	if held {
		n.goOn = make(chan struct{})
	}
	return n
}

// ask is a question that is one token.
func ask(t *testing.T, b *batcher, q *queue, token int) *job {
	t.Helper()
	j := &job{question: model.Question{Prompt: []int{token}}, tokens: 2}
	require.NoError(t, b.submit(q, j))
	return j
}

// What comes while a batch is computed waits, and is answered together, in its order and at most so many at once.
func TestWaitingQuestionsAreAnsweredTogether(t *testing.T) {
	n := newNetwork(true)
	q := &queue{network: n}
	b := newBatcher(4, 100, []*queue{q})
	jobs := []*job{ask(t, b, q, 0)}
	assert.Equal(t, []int{0}, <-n.begun)
	for i := 1; i <= 6; i++ {
		jobs = append(jobs, ask(t, b, q, i))
	}
	waiting, running := b.count(q)
	assert.Equal(t, [2]int{6, 1}, [2]int{waiting, running})
	b.withdraw(q, jobs[2])
	close(n.goOn)
	b.close()
	assert.Equal(t, []int{1, 3, 4, 5}, <-n.begun)
	assert.Equal(t, []int{6}, <-n.begun)
	assert.Empty(t, n.begun)
	for i, j := range jobs {
		if i == 2 {
			assert.Empty(t, j.done, "it was withdrawn")
			continue
		}
		got := <-j.done
		require.NoError(t, got.err)
		assert.Equal(t, []int{i, i}, got.answer.IDs)
	}
	assert.ErrorIs(t, b.submit(q, &job{}), errClosing)
}

// More than may wait are refused at once; every queue has its own bound.
func TestBusy(t *testing.T) {
	n := newNetwork(true)
	q, other := &queue{network: n}, &queue{network: n}
	b := newBatcher(4, 2, []*queue{q, other})
	ask(t, b, q, 0)
	<-n.begun // it waits no longer
	jobs := []*job{ask(t, b, q, 1), ask(t, b, q, 2)}
	assert.ErrorIs(t, b.submit(q, &job{}), errBusy)
	ask(t, b, other, 3)
	b.withdraw(q, jobs[0])
	ask(t, b, q, 4)
	close(n.goOn)
	b.close()
	assert.Equal(t, []int{3}, <-n.begun, "the networks take turns")
	assert.Equal(t, []int{2, 4}, <-n.begun)
}

// A question that fails, or even panics, has no part in the others' fate.
func TestOneFaultIsNobodyElses(t *testing.T) {
	n := newNetwork(false)
	q := &queue{network: n}
	jobs := make([]*job, 4)
	for i, token := range []int{1, failing, panicking, 2} {
		jobs[i] = &job{question: model.Question{Prompt: []int{token}}, tokens: 1, done: make(chan result, 1)}
	}
	q.answer(jobs)
	got := make([]result, len(jobs))
	for i, j := range jobs {
		got[i] = <-j.done
	}
	assert.Equal(t, []int{1}, got[0].answer.IDs)
	assert.ErrorContains(t, got[1].err, "this one fails")
	var panicked *fault.Panic
	require.ErrorAs(t, got[2].err, &panicked)
	assert.Equal(t, "this one panics", panicked.Value)
	assert.Equal(t, []int{2}, got[3].answer.IDs)
	assert.Equal(t, 1, got[3].together)
}

// Nobody gets more tokens because others in the batch asked for more.
func TestEachHasItsOwnLength(t *testing.T) {
	n := newNetwork(false)
	q := &queue{network: n}
	jobs := []*job{{tokens: 1}, {tokens: 3}}
	for _, j := range jobs {
		j.question, j.done = model.Question{Prompt: []int{7}}, make(chan result, 1)
	}
	q.answer(jobs)
	for _, j := range jobs {
		got := <-j.done
		assert.Len(t, got.answer.IDs, j.tokens)
		assert.False(t, got.answer.Ended())
		assert.Equal(t, 2, got.together)
	}
}

// A batch has positions for its longest question with its longest answer, and bounds the tokens of all its questions and answers.
func TestGroup(t *testing.T) {
	asks := func(prompt, tokens int) *job {
		return &job{question: model.Question{Prompt: make([]int, prompt)}, tokens: tokens}
	}
	of := func(room, most int, jobs ...*job) (batches []int) {
		q := &queue{room: room, waiting: jobs}
		for len(q.waiting) > 0 {
			batches = append(batches, len(q.group(most)))
		}
		return batches
	}
	assert.Equal(t, []int{2, 1}, of(0, 2, asks(1, 1), asks(9, 1), asks(1, 1)))
	assert.Equal(t, []int{3}, of(0, 9, asks(5, 1), asks(1, 8), asks(1, 1)))
	assert.Equal(t, []int{2, 1}, of(10, 9, asks(8, 3), asks(1, 4), asks(1, 1)), "8 and 4 tokens need 11 positions")
	assert.Equal(t, []int{3}, of(11, 9, asks(8, 3), asks(1, 4), asks(1, 1)))
	assert.Equal(t, []int{1, 2}, of(0, 9, asks(1, tokensTogether+1), asks(1, tokensTogether/2), asks(1, 1)))
	assert.Equal(t, []int{2, 1}, of(0, 9, asks(1, tokensTogether/2), asks(1, 1), asks(1, 1)))
	assert.Equal(t, []int{2, 1}, of(0, 9, asks(tokensTogether/2, 1), asks(1, 1), asks(1, 1)), "shorter questions are filled up")
	recorded := func(j *job) *job { j.recorded = true; return j }
	assert.Equal(t, []int{2, 2}, of(0, 9, recorded(asks(1, 1)), asks(1, 99), recorded(asks(1, 2)), asks(1, 1)), "the two ways to answer round differently")
}
