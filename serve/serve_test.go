package serve

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/image"
	"espalier/model/modeltest"
	"espalier/model/speaker"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// start starts a server of these families' checkpoints. The pictures are named 0.png to 18.png.
func start(t *testing.T, change func(*Options), families ...string) (*Server, *httptest.Server, string) {
	t.Helper()
	torchtest.Setup(t)
	o := Usual()
	o.Device = torch.CPU
	o.Log = func(text string) { t.Log(text) }
	var pictures string
	for _, f := range families {
		folder, questions := modeltest.Speaking(t, f)
		o.Folders, pictures = append(o.Folders, folder), filepath.Dir(questions)
	}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	require.NoError(t, err)
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		web.Close()
		s.Close()
	})
	return s, web, pictures
}

func dataURL(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(data)
}

type fieldsOf = map[string]any

// body is a request; more fields, or others, may be given.
func body(t *testing.T, model, question, picture string, more fieldsOf) []byte {
	t.Helper()
	content := []fieldsOf{{"type": "text", "text": question}}
	if picture != "" {
		content = append(content, fieldsOf{"type": "image_url", "image_url": fieldsOf{"url": picture, "detail": "auto"}})
	}
	all := fieldsOf{"model": model, "messages": []fieldsOf{{"role": "user", "content": content}}}
	maps.Copy(all, more)
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return text
}

func post(t *testing.T, web *httptest.Server, text []byte) (status int, header http.Header, answer []byte) {
	t.Helper()
	r, err := http.Post(web.URL+"/v1/chat/completions", "application/json", bytes.NewReader(text))
	require.NoError(t, err)
	defer r.Body.Close()
	answer, err = io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, r.Header, answer
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(text)
}

// answered is an answer that there must be.
func answered(t *testing.T, web *httptest.Server, text []byte) (r reply) {
	t.Helper()
	status, _, answer := post(t, web, text)
	require.Equal(t, http.StatusOK, status, string(answer))
	require.NoError(t, json.Unmarshal(answer, &r))
	require.Len(t, r.Choices, 1)
	return r
}

// alone is what `model generate` says.
func alone(t *testing.T, s *speaker.Speaker, picture, question string) (string, speaker.Answer) {
	t.Helper()
	var pixels []byte
	if picture != "" {
		rgb, err := image.Load(picture)
		require.NoError(t, err)
		pixels, err = s.Sight.Picture(rgb)
		require.NoError(t, err)
	}
	q, err := s.Words.Question(question)
	require.NoError(t, err)
	got, err := s.Ask(pixels, []model.Question{q}, model.GenerateOptions{MaxTokens: s.MostTokens(), LogProbs: new([][][]float64)})
	require.NoError(t, err)
	return s.Words.Answers.Decode(got[0].IDs), got[0]
}

// Many clients at once get what each would get alone, from both of two models, and are answered in batches.
func TestManyClientsGetTheAnswersOfGenerate(t *testing.T) {
	s, web, pictures := start(t, nil, "blip2_opt", "instructblip_t5")
	type asking struct{ model, question, picture, want string }
	var all []asking
	for _, m := range s.models {
		for i, question := range []string{"what is this", "color", "what is the color of the big round thing", "is this thing blue", "small green one"} {
			for j := range 4 {
				file := filepath.Join(pictures, fmt.Sprintf("%d.png", (4*i+j)%19))
				want, _ := alone(t, m.Speaker, file, question)
				all = append(all, asking{m.id, question, file, want})
			}
		}
	}
	var group sync.WaitGroup
	got := make([]string, len(all))
	texts := make([][]byte, len(all))
	for i, a := range all {
		texts[i] = body(t, a.model, a.question, dataURL(t, a.picture), nil)
	}
	for i := range all {
		group.Go(func() {
			r, err := http.Post(web.URL+"/v1/chat/completions", "application/json", bytes.NewReader(texts[i]))
			if err != nil {
				got[i] = err.Error()
				return
			}
			defer r.Body.Close()
			var reply reply
			if err := json.NewDecoder(r.Body).Decode(&reply); err != nil || len(reply.Choices) != 1 {
				got[i] = fmt.Sprint(r.Status, err)
				return
			}
			got[i] = *reply.Choices[0].Message.Content
		})
	}
	group.Wait()
	different := map[string]bool{}
	for i, a := range all {
		assert.Equal(t, a.want, got[i], "%s, %q, %s", a.model, a.question, a.picture)
		different[got[i]] = true
	}
	assert.Greater(t, len(different), 4, "the answers are lively")
	_, text := get(t, web.URL+"/metrics")
	for _, want := range []string{
		`espalier_request_success_total{finished_reason="`, `espalier_num_requests_running{model_name="blip2_opt"} 0`, `espalier_num_requests_waiting{model_name="instructblip_t5"} 0`,
		`espalier_e2e_request_latency_seconds_count{model_name="blip2_opt"} 20`, `espalier_time_to_first_token_seconds_count{model_name="blip2_opt"} 20`,
		`espalier_request_queue_time_seconds_count`, `espalier_inter_token_latency_seconds_count`, `espalier_prompt_tokens_total`, `espalier_generation_tokens_total`,
		"process_resident_memory_bytes",
	} {
		assert.Contains(t, text, want)
	}
}

// An answer has the form of OpenAI's, with the log-probabilities of its tokens, whose sum with that of its end is its confidence.
func TestFormOfAnAnswer(t *testing.T) {
	s, web, pictures := start(t, nil, "blip2_opt")
	file := filepath.Join(pictures, "3.png")
	want, whole := alone(t, s.models[0].Speaker, file, "color")
	require.Greater(t, len(whole.IDs), 2)
	r := answered(t, web, body(t, "blip2_opt", "color", dataURL(t, file), fieldsOf{"logprobs": true, "top_logprobs": 1, "temperature": 0, "seed": nil}))
	assert.Equal(t, "chat.completion", r.Object)
	assert.Equal(t, "blip2_opt", r.Model)
	assert.True(t, strings.HasPrefix(r.ID, "chatcmpl-"))
	assert.Equal(t, "assistant", r.Choices[0].Message.Role)
	assert.Equal(t, want, *r.Choices[0].Message.Content)
	prompt := s.models[0].PictureTokens() + 1
	assert.Equal(t, 5, prompt, "4 of the picture, 1 of the question")
	assert.Equal(t, &usage{prompt, len(whole.IDs), prompt + len(whole.IDs)}, r.Usage)
	var pieces strings.Builder
	sum := 0.
	for i, p := range r.Choices[0].LogProbs.Content {
		pieces.WriteString(p.Token)
		assert.InDelta(t, whole.LogProbs[i], p.LogProb, 1e-9)
		require.Len(t, p.Top, 1)
		assert.Equal(t, p.Token, p.Top[0].Token)
		sum += p.LogProb
	}
	assert.Equal(t, want, pieces.String())
	for _, end := range whole.LogProbs[len(whole.IDs):] {
		sum += end
	}
	assert.InDelta(t, math.Exp(sum), r.Own.Confidence, 1e-12)
	assert.Equal(t, map[bool]string{true: "stop", false: "length"}[whole.Ended()], *r.Choices[0].Finish)

	// As lmms-eval asks, the picture first, and for more tokens than there are positions for.
	lmms := body(t, "blip2_opt", "", "", fieldsOf{"max_tokens": 1024, "temperature": 0, "messages": []fieldsOf{{"role": "user", "content": []fieldsOf{
		{"type": "image_url", "image_url": fieldsOf{"url": dataURL(t, file)}}, {"type": "text", "text": "color"}}}}})
	assert.True(t, strings.HasPrefix(*answered(t, web, lmms).Choices[0].Message.Content, want))

	for _, key := range []string{"max_tokens", "max_completion_tokens"} {
		r = answered(t, web, body(t, "blip2_opt", "color", dataURL(t, file), fieldsOf{key: 1, "logprobs": false}))
		assert.Equal(t, "length", *r.Choices[0].Finish)
		assert.Equal(t, 1, r.Usage.Completion)
		assert.Nil(t, r.Choices[0].LogProbs)
		assert.True(t, strings.HasPrefix(want, *r.Choices[0].Message.Content))
	}
	words := strings.Fields(want)
	r = answered(t, web, body(t, "blip2_opt", "color", dataURL(t, file), fieldsOf{"stop": []string{" " + words[1]}}))
	assert.Equal(t, words[0], *r.Choices[0].Message.Content)
	assert.Equal(t, "stop", *r.Choices[0].Finish)
}

// A stream brings the same answer in pieces, then why it ended, then what was asked of it, and says when it is over.
func TestStream(t *testing.T) {
	s, web, pictures := start(t, nil, "blip2_opt")
	file := filepath.Join(pictures, "3.png")
	want, whole := alone(t, s.models[0].Speaker, file, "color")
	text := body(t, "blip2_opt", "color", dataURL(t, file), fieldsOf{"stream": true, "logprobs": true, "stream_options": fieldsOf{"include_usage": true}})
	status, header, stream := post(t, web, text)
	require.Equal(t, http.StatusOK, status, string(stream))
	assert.Equal(t, "text/event-stream", header.Get("Content-Type"))
	var chunks []reply
	over := false
	for lines := bufio.NewScanner(bytes.NewReader(stream)); lines.Scan(); {
		event, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case lines.Text() == "":
			continue
		case event == "[DONE]":
			over = true
			continue
		}
		require.True(t, ok && !over, lines.Text())
		var r reply
		require.NoError(t, json.Unmarshal([]byte(event), &r))
		chunks = append(chunks, r)
	}
	assert.True(t, over)
	require.Len(t, chunks, len(whole.IDs)+3)
	var said strings.Builder
	for i, c := range chunks[:len(chunks)-2] {
		require.Len(t, c.Choices, 1)
		assert.Equal(t, "chat.completion.chunk", c.Object)
		assert.Equal(t, chunks[0].ID, c.ID)
		assert.Nil(t, c.Choices[0].Finish)
		said.WriteString(*c.Choices[0].Delta.Content)
		if i > 0 {
			assert.InDelta(t, whole.LogProbs[i-1], c.Choices[0].LogProbs.Content[0].LogProb, 1e-9) // sums are split in other ways on another thread
		}
	}
	assert.Equal(t, "assistant", chunks[0].Choices[0].Delta.Role)
	assert.Equal(t, want, said.String())
	finish, counted := chunks[len(chunks)-2], chunks[len(chunks)-1]
	assert.Equal(t, map[bool]string{true: "stop", false: "length"}[whole.Ended()], *finish.Choices[0].Finish)
	assert.Empty(t, counted.Choices)
	assert.Equal(t, len(whole.IDs), counted.Usage.Completion)
}

// A request that waits holds its pixels, and no longer the text that they came in.
func TestWaitingHoldsThePixelsAlone(t *testing.T) {
	s, _, pictures := start(t, nil, "blip2_opt")
	a := &asked{request: &request{question: "color", picture: dataURL(t, filepath.Join(pictures, "3.png"))}, model: s.models[0]}
	require.NoError(t, s.chat.prepare(t.Context(), a))
	assert.NotEmpty(t, a.job.pixels)
	assert.Empty(t, a.picture)
}

// A client that asks for a long answer does not take the others away from the network's program.
func TestLongAnswersAreAskedApart(t *testing.T) {
	s, _, pictures := start(t, nil, "instructblip_t5")
	var jobs []*job
	for _, tokens := range []int{0, 65, 64} {
		a := &asked{request: &request{question: "color", picture: dataURL(t, filepath.Join(pictures, "3.png")), tokens: tokens}, model: s.models[0]}
		require.NoError(t, s.chat.prepare(t.Context(), a))
		jobs = append(jobs, a.job)
	}
	q := &queue{waiting: jobs}
	assert.Equal(t, []*job{jobs[0], jobs[2]}, q.group(9))
	assert.Equal(t, []*job{jobs[1]}, q.group(9))
}

// A decoder alone is asked without a picture, and the other networks with one.
func TestDecoderAlone(t *testing.T) {
	s, web, pictures := start(t, nil, "decoder_opt", "blip2_opt")
	file := filepath.Join(pictures, "3.png")
	want, _ := alone(t, s.models[0].Speaker, "", "what is this")
	assert.Equal(t, want, *answered(t, web, body(t, "decoder_opt", "what is this", "", nil)).Choices[0].Message.Content)
	assert.Equal(t, want, *answered(t, web, []byte(`{"model": "decoder_opt", "messages": [{"role": "user", "content": "what is this"}]}`)).Choices[0].Message.Content)
	for model, picture := range map[string]string{"decoder_opt": dataURL(t, file), "blip2_opt": ""} {
		status, _, answer := post(t, web, body(t, model, "what is this", picture, nil))
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, string(answer), `"param":"messages"`)
		assert.Contains(t, string(answer), "a picture is "+map[string]string{"decoder_opt": "given", "blip2_opt": "missing"}[model])
	}
	_, list := get(t, web.URL+"/v1/models")
	assert.Contains(t, list, `"id":"decoder_opt","object":"model"`)
	assert.Contains(t, list, `"pictures":false`)
	assert.Contains(t, list, `"pictures":true`)
}

// An answer that there are no positions for is cut off, whoever else is in the batch.
func TestAnswerEndsWherePositionsDo(t *testing.T) {
	s, web, pictures := start(t, nil, "blip2_opt")
	m := s.models[0]
	room := m.Model.Room()
	require.Positive(t, room)
	picture := dataURL(t, filepath.Join(pictures, "3.png"))
	long := strings.TrimSpace(strings.Repeat("big ", room-2))
	r := answered(t, web, body(t, "blip2_opt", long, picture, fieldsOf{"max_tokens": 1000}))
	assert.LessOrEqual(t, r.Usage.Completion, 3)
	status, _, answer := post(t, web, body(t, "blip2_opt", long+" big big big", picture, nil))
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, string(answer), "positions for")
}
