package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/semaphore"

	"espalier/model"
	"espalier/model/speaker"
	"espalier/pipeline/fault"
)

// MostBody is the most bytes of a request.
const MostBody = 32_000_000

// bytesOfToken is more than a token has in any text that people write: SentencePiece's have at most 16 characters, of 4 bytes at most, and those of
// byte-level vocabularies are longer only where one character is repeated.
const bytesOfToken = 64

// bodiesTogether bounds the bytes of the requests that are being read.
const bodiesTogether = 8 * MostBody

// chat answers POST /v1/chat/completions.
type chat struct {
	o       Options
	models  []*served
	batcher *batcher
	viewer  *viewer
	bodies  *semaphore.Weighted
	metrics *metrics
}

// asked is a request on its way.
type asked struct {
	*request
	model *served
	job   *job
	began time.Time
}

func (c *chat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), c.o.Timeout)
	defer cancel()
	a := &asked{began: time.Now()}
	got, err := c.answer(ctx, a, w, r)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return // the client has gone away
		}
		e := c.told(ctx, err)
		c.metrics.failed(a.model, e.status)
		e.write(w)
		return
	}
	told := tell(got.answer, a.model.Words.Answers.Decode, a.stop)
	c.metrics.answered(a, got, told)
	// The deadline is for clients that do not read: whoever stops the server waits for them.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(c.o.Slow))
	reply := newReply(a, got, told)
	if a.stream {
		reply.stream(w)
	} else {
		reply.whole(w)
	}
}

// answer reads a request, lets it wait for its turn, and gives what the network said.
func (c *chat) answer(ctx context.Context, a *asked, w http.ResponseWriter, r *http.Request) (result, error) {
	if err := c.read(ctx, a, w, r); err != nil {
		return result{}, err
	}
	if err := c.batcher.submit(a.model.queue, a.job); err != nil {
		return result{}, err
	}
	select {
	case got := <-a.job.done:
		return got, got.err
	case <-ctx.Done():
		c.batcher.withdraw(a.model.queue, a.job)
		return result{}, ctx.Err()
	}
}

// read makes a job of a request.
func (c *chat) read(ctx context.Context, a *asked, w http.ResponseWriter, r *http.Request) error {
	size := r.ContentLength
	if size < 0 {
		size = MostBody
	}
	if size > MostBody {
		return c.tooLarge(w, r)
	}
	if err := c.bodies.Acquire(ctx, size); err != nil {
		return err
	}
	defer c.bodies.Release(size)
	body, err := c.body(w, r)
	if err != nil {
		return err
	}
	var refused *apiError
	if a.request, refused = parse(body); refused != nil {
		return refused
	}
	if refused := c.find(a); refused != nil {
		return refused
	}
	return c.prepare(ctx, a)
}

// body reads what the client sends, which must not take forever.
func (c *chat) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(c.o.Slow)) // tests have no connection
	body, err := io.ReadAll(io.LimitReader(r.Body, MostBody+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, "timeout", "the request did not arrive within %v; send it faster, or a smaller picture", c.o.Slow)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "incomplete_body", "the request ended early: %v", err)
	case len(body) > MostBody:
		return nil, c.tooLarge(w, r)
	}
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

// tooLarge refuses a body. A client that is still sending does not read: what it sends is passed over for a while.
func (c *chat) tooLarge(w http.ResponseWriter, r *http.Request) error {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(c.o.Slow))
	_, _ = io.CopyN(io.Discard, r.Body, 4*MostBody)
	return refuse(http.StatusRequestEntityTooLarge, "request_too_large", "the request has more than %d bytes; make the picture smaller", MostBody)
}

// find looks the model up.
func (c *chat) find(a *asked) *apiError {
	if a.model = c.model(a.request.model); a.model == nil {
		e := refuseField("model", "model_not_found", "there is no %q here; there is %s", short([]byte(a.request.model)), ids(c.models))
		e.status = http.StatusNotFound
		return e
	}
	return nil
}

func (c *chat) model(id string) *served {
	for _, m := range c.models {
		if m.id == id {
			return m
		}
	}
	return nil
}

// prepare turns question and picture into what the network reads.
func (c *chat) prepare(ctx context.Context, a *asked) error {
	m := a.model
	if err := m.CheckPicture("a picture", a.picture != ""); err != nil {
		return refuseField("messages", "invalid_value", "model %s: %v", m.id, err)
	}
	if a.tokens > c.o.MostTokens {
		return refuseField("max_tokens", "invalid_value", "%d; answers of this server have at most %d tokens", a.tokens, c.o.MostTokens)
	}
	q, err := c.question(m, a.question)
	if err != nil {
		return refuseField("messages", "invalid_question", "model %s: %v", m.id, err)
	}
	a.job = &job{question: q, tokens: a.tokens}
	if a.tokens == 0 {
		a.job.tokens = min(m.MostTokens(), c.o.MostTokens)
	}
	if room := m.Model.Room(); room > 0 { // an answer that does not fit is cut off where there are no more positions
		a.job.tokens = min(a.job.tokens, room-len(q.Prompt)+1)
	}
	a.job.recorded = m.Model.Recorded(q, a.job.tokens)
	if a.picture == "" {
		return nil
	}
	a.job.pixels, err = c.viewer.pixels(ctx, a.picture, m.Sight)
	a.picture = "" // many may wait, and the file's text is larger than the pixels
	if err != nil && ctx.Err() == nil {
		return refuseField(a.place, "invalid_image", "%v", err)
	}
	return err
}

// question is a question as the network reads it. One that is too long is refused, most of them before they are cut into tokens: attention needs
// memory with the square of the tokens.
func (c *chat) question(m *served, text string) (model.Question, error) {
	const tooLong = "the question has %d %s, this server reads %d tokens of a question (-max-question), or %d bytes, at most; shorten it"
	most := c.o.MostQuestion
	if len(text) > most*bytesOfToken {
		return model.Question{}, fmt.Errorf(tooLong, len(text), "bytes", most, most*bytesOfToken)
	}
	q, err := m.Words.Question(text)
	if err != nil {
		return q, err
	}
	if n := max(len(q.Prompt), len(q.Instruction)); n > most {
		return q, fmt.Errorf(tooLong, n, "tokens", most, most*bytesOfToken)
	}
	return q, m.Model.CheckQuestion(q)
}

// told is the error in OpenAI's form.
func (c *chat) told(ctx context.Context, err error) *apiError {
	var own *apiError
	var panicked *fault.Panic
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errBusy):
		return fail(http.StatusTooManyRequests, rateLimit, "busy", "%v", err)
	case errors.Is(err, errClosing):
		return fail(http.StatusServiceUnavailable, serverError, "stopping", "%v", err)
	case ctx.Err() != nil:
		return fail(http.StatusServiceUnavailable, serverError, "timeout", "the answer was not there after %v: too much waits; ask again", c.o.Timeout)
	case errors.As(err, &panicked):
		c.o.log("%v\n%s", panicked, panicked.Stack)
	default:
		c.o.log("an answer failed: %v", err)
	}
	return fail(http.StatusInternalServerError, serverError, "failed", "%v", err)
}

// served is a network and what waits for it.
type served struct {
	*speaker.Speaker
	id     string
	folder string
	queue  *queue
}

// newID is a name for an answer.
func newID() string { return fmt.Sprintf("chatcmpl-%s", rand.Text()) }
