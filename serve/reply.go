package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// reply is an answer in OpenAI's form: chat.completion, or a part of one, chat.completion.chunk.
type reply struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
	Own     *about   `json:"espalier,omitempty"`

	asked *asked
	told  said
}

type choice struct {
	Index    int       `json:"index"`
	Message  *message  `json:"message,omitempty"`
	Delta    *message  `json:"delta,omitempty"`
	LogProbs *logProbs `json:"logprobs"`
	Finish   *string   `json:"finish_reason"`
}

type message struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type logProbs struct {
	Content []tokenLogProb `json:"content"`
}

type tokenLogProb struct {
	Token   string         `json:"token"`
	LogProb float64        `json:"logprob"`
	Bytes   []int          `json:"bytes"`
	Top     []tokenLogProb `json:"top_logprobs,omitzero"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// about is what OpenAI's form has no place for.
type about struct {
	Confidence float64 `json:"confidence"` // the probability of the answer, its end included
	QueueMS    float64 `json:"queue_ms"`
	ComputeMS  float64 `json:"compute_ms"` // of the batch
	Batch      int     `json:"batch"`      // questions in it
}

func newReply(a *asked, got result, told said) *reply {
	r := &reply{ID: newID(), Created: a.began.Unix(), Model: a.model.id, asked: a, told: told}
	r.Own = &about{
		Confidence: told.confidence, Batch: got.together,
		QueueMS: milliseconds(got.began.Sub(a.job.queued)), ComputeMS: milliseconds(got.ended.Sub(got.began)),
	}
	prompt := a.model.PictureTokens() + len(a.job.question.Prompt)
	r.Usage = &usage{prompt, len(told.tokens), prompt + len(told.tokens)}
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// whole writes the answer at once.
func (r *reply) whole(w http.ResponseWriter) {
	r.Object = "chat.completion"
	r.Choices = []choice{{Message: &message{"assistant", &r.told.text}, LogProbs: r.logProbs(r.told.tokens), Finish: &r.told.finish}}
	writeJSON(w, http.StatusOK, r)
}

// stream writes the answer token by token, as server-sent events. A network answers the questions of a batch together, so that all
// tokens are there when the first is sent.
func (r *reply) stream(w http.ResponseWriter) {
	r.Object = "chat.completion.chunk"
	counted, own := r.Usage, r.Own
	r.Usage, r.Own = nil, nil
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	var events strings.Builder
	send := func(choices ...choice) {
		r.Choices = append([]choice{}, choices...)
		text, err := json.Marshal(r)
		if err != nil {
			panic(fmt.Sprintf("a value of the program's own cannot be written as JSON: %v", err))
		}
		fmt.Fprintf(&events, "data: %s\n\n", text)
	}
	send(choice{Delta: &message{Role: "assistant", Content: new(string)}})
	for i, t := range r.told.tokens {
		send(choice{Delta: &message{Content: &t.text}, LogProbs: r.logProbs(r.told.tokens[i : i+1])})
	}
	r.Own = own
	send(choice{Delta: &message{}, Finish: &r.told.finish})
	if r.asked.usage {
		r.Usage, r.Own = counted, nil
		send()
	}
	events.WriteString("data: [DONE]\n\n")
	_, _ = w.Write([]byte(events.String())) // a client that has gone away is nobody's fault
}

// logProbs are those of some tokens, or null where the client does not ask for them.
func (r *reply) logProbs(tokens []token) *logProbs {
	if !r.asked.logProbs {
		return nil
	}
	out := &logProbs{Content: []tokenLogProb{}}
	for _, t := range tokens {
		p := tokenLogProb{Token: t.text, LogProb: t.logProb, Bytes: []int{}}
		for _, b := range []byte(t.text) {
			p.Bytes = append(p.Bytes, int(b))
		}
		top := []tokenLogProb{}
		if r.asked.top {
			top = append(top, p)
		}
		p.Top = top
		out.Content = append(out.Content, p)
	}
	return out
}
