package serve

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"espalier/model"
	"espalier/model/speaker"
	"espalier/pipeline/fault"
)

// tokensTogether bounds the tokens of the answers of one batch, and those of its questions: the keys and values of all of them are in memory.
const tokensTogether = 8192

var (
	errBusy    = errors.New("as many questions wait as may; ask again in a moment")
	errClosing = errors.New("the server is stopping and takes no more questions")
)

// asker answers questions together, as a [speaker.Speaker] does.
type asker interface {
	Ask(pixels []byte, questions []model.Question, o model.GenerateOptions) ([]speaker.Answer, error)
}

// job is a question that waits for its answer.
type job struct {
	pixels   []byte // as the network sees them; none where it sees none
	question model.Question
	tokens   int  // of the answer, at most
	recorded bool // the network's program computes the answer, if it has one
	queued   time.Time
	done     chan result // has room for its one result, so that nobody need wait for it
}

// result is an answer and how it came about.
type result struct {
	answer       speaker.Answer
	err          error
	began, ended time.Time // of the computation
	together     int       // questions that were answered in it
}

// queue are the questions that wait for one network.
type queue struct {
	network asker
	room    int // tokens of a question and its answer that there are positions for; 0 is any
	waiting []*job
	running int
}

// batcher answers what waits, one batch at a time, a network after the other: all cores work on it, and a network keeps its latency.
type batcher struct {
	together int // questions in a batch, at most
	most     int // questions that may wait for a network

	mu      sync.Mutex
	changed *sync.Cond
	queues  []*queue
	next    int // queue that is looked at first
	closing bool
	ended   chan struct{}
}

func newBatcher(together, most int, queues []*queue) *batcher {
	b := &batcher{together: together, most: most, queues: queues, ended: make(chan struct{})}
	b.changed = sync.NewCond(&b.mu)
	go b.work()
	return b
}

// submit lets a question wait, or refuses it at once.
func (b *batcher) submit(q *queue, j *job) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closing:
		return errClosing
	case len(q.waiting) >= b.most:
		return errBusy
	}
	j.queued, j.done = time.Now(), make(chan result, 1)
	q.waiting = append(q.waiting, j)
	b.changed.Signal()
	return nil
}

// withdraw takes a question back whose asker waits no longer. One that is being answered is answered.
func (b *batcher) withdraw(q *queue, j *job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(other *job) bool { return other == j })
}

func (b *batcher) count(q *queue) (waiting, running int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(q.waiting), q.running
}

// close answers what waits, and returns when nothing computes any more.
func (b *batcher) close() {
	b.mu.Lock()
	b.closing = true
	b.changed.Signal()
	b.mu.Unlock()
	<-b.ended
}

// work computes on one thread, for which libtorch keeps its own pool.
func (b *batcher) work() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(b.ended)
	for {
		q, jobs := b.take()
		if q == nil {
			return
		}
		q.answer(jobs)
		b.mu.Lock()
		q.running = 0
		b.mu.Unlock()
	}
}

// take waits for questions. It gives nil when there are none and will be none.
func (b *batcher) take() (*queue, []*job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for i := range b.queues {
			q := b.queues[(b.next+i)%len(b.queues)]
			if len(q.waiting) > 0 {
				b.next = (b.next + i + 1) % len(b.queues)
				jobs := q.group(b.together)
				q.running = len(jobs)
				return q, jobs
			}
		}
		if b.closing {
			return nil, nil
		}
		b.changed.Wait()
	}
}

// group takes the question that has waited longest, and those behind it that can be answered with it. A batch goes on until its last
// answer has ended, so that there must be positions for the longest question with the longest answer. One that is not recorded would take the others
// away from the network's program, and their answers must not depend on it.
func (q *queue) group(most int) (jobs []*job) {
	var rest []*job
	longest, tokens := 0, 0
	for _, j := range q.waiting {
		l, t := max(longest, len(j.question.Prompt)), max(tokens, j.tokens)
		fits := len(jobs) < most && j.recorded == q.waiting[0].recorded && (q.room == 0 || l+t-1 <= q.room) && max(l, t)*(len(jobs)+1) <= tokensTogether
		if fits || len(jobs) == 0 {
			jobs, longest, tokens = append(jobs, j), l, t
		} else {
			rest = append(rest, j)
		}
	}
	q.waiting = rest
	return jobs
}

// answer gives each job its result. Where that fails for several together, each is tried alone: one of them is at fault, or there was
// no memory for so many.
func (q *queue) answer(jobs []*job) {
	began := time.Now()
	answers, err := q.ask(jobs)
	if err != nil && len(jobs) > 1 {
		for i := range jobs {
			q.answer(jobs[i : i+1])
		}
		return
	}
	r := result{err: err, began: began, ended: time.Now(), together: len(jobs)}
	for i, j := range jobs {
		if err == nil {
			r.answer = answers[i]
		}
		j.done <- r
	}
}

func (q *queue) ask(jobs []*job) (answers []speaker.Answer, err error) {
	defer fault.Caught(&err)
	var pixels []byte
	questions := make([]model.Question, len(jobs))
	o := model.GenerateOptions{LogProbs: new([][][]float64)}
	for i, j := range jobs {
		pixels, questions[i] = append(pixels, j.pixels...), j.question
		o.MaxTokens = max(o.MaxTokens, j.tokens)
	}
	if answers, err = q.network.Ask(pixels, questions, o); err != nil {
		return nil, err
	}
	for i, j := range jobs { // nobody has more than was asked for, as if asked alone
		a := &answers[i]
		a.IDs, a.LogProbs = a.IDs[:min(len(a.IDs), j.tokens)], a.LogProbs[:min(len(a.LogProbs), j.tokens)]
	}
	return answers, nil
}
