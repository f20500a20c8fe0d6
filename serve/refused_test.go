package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/speaker"
)

// faultOf reads an error in OpenAI's form.
func faultOf(t *testing.T, text []byte) (e apiError) {
	t.Helper()
	var whole struct{ Error *json.RawMessage }
	require.NoError(t, json.Unmarshal(text, &whole), string(text))
	require.NotNil(t, whole.Error, string(text))
	var fields map[string]any
	require.NoError(t, json.Unmarshal(*whole.Error, &fields))
	for _, name := range []string{"message", "type", "param", "code"} {
		assert.Contains(t, fields, name)
	}
	require.NoError(t, json.Unmarshal(*whole.Error, &e))
	return e
}

// What cannot be answered is refused with what is wrong, where, and what to do.
func TestRefused(t *testing.T) {
	_, web, pictures := start(t, func(o *Options) { o.MostPixels, o.MostTokens = 1000, 50 }, "blip2_opt")
	picture := dataURL(t, filepath.Join(pictures, "3.png"))
	whole := func(more fieldsOf) string { return string(body(t, "blip2_opt", "color", picture, more)) }
	messages := func(text string) string { return `{"model": "blip2_opt", "messages": ` + text + `}` }
	parts := func(text string) string { return messages(`[{"role": "user", "content": ` + text + `}]`) }
	image := func(url string) string { return string(body(t, "blip2_opt", "color", url, nil)) }
	large := "data:image/png;base64," + base64.StdEncoding.EncodeToString(blackPNG(t, 40))
	for _, c := range []struct {
		text          string
		status        int
		param, remedy string
	}{
		{"", 400, "", "it is empty"},
		{"{", 400, "", "at byte"},
		{"[1]", 400, "", "it is [1]"},
		{`{"model": "x"} {}`, 400, "", "at byte"},
		{strings.Repeat("[", 100_000), 400, "", "no JSON object"},
		{`{"model": "blip2_opt"}`, 400, "messages", "it is missing"},
		{`{"messages": []}`, 400, "messages", "there is no question"},
		{`{"messages": null, "model": "x"}`, 400, "messages", "it is missing"},
		{string(body(t, "gpt-4", "color", picture, nil)), 404, "model", `there is no "gpt-4" here; there is blip2_opt`},
		{string(body(t, "", "color", picture, nil)), 404, "model", "there is blip2_opt"},
		{whole(fieldsOf{"model": 3}), 400, "model", "want a text, got 3"},
		{whole(fieldsOf{"tempreature": 0}), 400, "tempreature", "there is no such field"},
		{whole(fieldsOf{"max_tokens": 0}), 400, "max_tokens", "at least 1"},
		{whole(fieldsOf{"max_tokens": 51}), 400, "max_tokens", "at most 50 tokens"},
		{whole(fieldsOf{"max_completion_tokens": 1.5}), 400, "max_completion_tokens", "a whole number, got 1.5"},
		{whole(fieldsOf{"temperature": "hot"}), 400, "temperature", `a number, got "hot"`},
		{whole(fieldsOf{"temperature": 3}), 400, "temperature", "not in [0, 2]"},
		{whole(fieldsOf{"n": 2}), 400, "n", "one answer"},
		{whole(fieldsOf{"top_logprobs": 5}), 400, "top_logprobs", "5 tokens"},
		{whole(fieldsOf{"stop": []string{""}}), 400, "stop", "none of them empty"},
		{whole(fieldsOf{"stop": 3}), 400, "stop", "a list of texts, got 3"},
		{whole(fieldsOf{"tools": []int{1}}), 400, "tools", "call no tools"},
		{whole(fieldsOf{"response_format": fieldsOf{"type": "json_object"}}), 400, "response_format", "plain text"},
		{whole(fieldsOf{"stream_options": fieldsOf{"include": true}}), 400, "stream_options.include", "no such field"},
		{messages(`"color"`), 400, "messages", "a list of messages"},
		{messages(`["color"]`), 400, "messages[0]", "an object"},
		{messages(`[{"role": "user", "content": "a", "x": 1}]`), 400, "messages[0].x", "no such field"},
		{messages(`[{"role": "robot", "content": "a"}]`), 400, "messages[0].role", "want user, got robot"},
		{messages(`[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "color"}]`), 400, "messages[0]", "the role system is not read"},
		{messages(`[{"role": "user", "content": "color"}, {"role": "user", "content": "color"}]`), 400, "messages[1]", "a second question"},
		{parts(`null`), 400, "messages[0].content", "a list of parts, got null"},
		{parts(`[{"type": "text", "text": " "}]`), 400, "messages", "the question is empty"},
		{parts(`[{"type": "video_url", "video_url": {"url": "x"}}]`), 400, "messages[0].content[0].type", `text or image_url, got "video_url"`},
		{parts(`[{"type": "text", "text": "color", "more": 1}]`), 400, "messages[0].content[0].more", "no such field"},
		{parts(`[{"type": "text", "text": 7}]`), 400, "messages[0].content[0].text", "want a text, got 7"},
		{parts(`[{"type": "image_url", "image_url": "x"}]`), 400, "messages[0].content[0].image_url", "want an object"},
		{parts(`[{"type": "image_url", "image_url": {"detail": "low"}}]`), 400, "messages[0].content[0].image_url.url", "it is missing"},
		{parts(`[{"type": "image_url", "image_url": {"url": "data:,a"}}, {"type": "image_url", "image_url": {"url": "data:,a"}}]`), 400, "messages[0].content[1].image_url", "a second picture"},
		{image("data:image/png;base64,@@@@"), 400, "messages[0].content[1].image_url.url", "no base64"},
		{image("data:image/png,abcd"), 400, "messages[0].content[1].image_url.url", "begins with data:image/png;base64"},
		{image("data:image/png;base64,AAAA"), 400, "messages[0].content[1].image_url.url", "not a picture"},
		{image("file:///etc/passwd"), 400, "messages[0].content[1].image_url.url", "no data URL"},
		{image("http://127.0.0.1/x.png"), 400, "messages[0].content[1].image_url.url", "without -fetch"},
		{image(picture[:len(picture)/8*4]), 400, "messages[0].content[1].image_url.url", "broken PNG"},
		{image(large), 400, "messages[0].content[1].image_url.url", "1600 pixels, more than the 1000"},
		{string(body(t, "blip2_opt", "violet", picture, nil)), 400, "messages", `"violet"`},
	} {
		status, _, answer := post(t, web, []byte(c.text))
		e := faultOf(t, answer)
		assert.Equal(t, c.status, status, "%s: %s", short([]byte(c.text)), answer)
		param := ""
		if e.Param != nil {
			param = *e.Param
		}
		assert.Equal(t, c.param, param, e.Message)
		assert.Contains(t, e.Message, c.remedy)
		assert.Equal(t, invalidRequest, e.Type)
		assert.NotEmpty(t, e.Code)
	}
	// The system's message may be there if it says nothing, and numbers may say what is done anyway.
	more := fieldsOf{"n": 1, "temperature": 0.7, "top_p": 1, "presence_penalty": 0, "response_format": fieldsOf{"type": "text"}, "tools": []int{}, "user": "me", "max_tokens": nil}
	answered(t, web, []byte(whole(more)))
	answered(t, web, []byte(`{"model": "blip2_opt", "messages": [{"role": "system", "content": ""}, {"role": "user", "content": [{"type": "text", "text": "color"},
		{"type": "image_url", "image_url": {"url": "`+picture+`"}}]}]}`))
}

// A question that is too long is refused, one that is far too long before it is cut into tokens.
func TestQuestionsAreBounded(t *testing.T) {
	for _, family := range []string{"instructblip_t5", "decoder_opt"} {
		s, web, pictures := start(t, func(o *Options) { o.MostQuestion = 3 }, family)
		picture := ""
		if s.models[0].Sees() {
			picture = dataURL(t, filepath.Join(pictures, "3.png"))
		}
		for question, want := range map[string]string{
			"big big big big":                "the question has 4 tokens, this server reads 3 tokens of a question (-max-question), or 192 bytes, at most; shorten it",
			strings.Repeat(" ", 190) + "big": "the question has 193 bytes, this server reads 3 tokens of a question (-max-question)",
		} {
			status, _, answer := post(t, web, body(t, family, question, picture, nil))
			e := faultOf(t, answer)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, e.Message, want)
			assert.Equal(t, "invalid_question", e.Code)
			assert.Equal(t, "messages", *e.Param)
		}
		answered(t, web, body(t, family, "big big big", picture, nil))
		answered(t, web, body(t, family, strings.Repeat(" ", 189)+"big", picture, nil))
	}
}

func blackPNG(t *testing.T, side int) []byte {
	t.Helper()
	file, err := pngOf(make([]byte, 3*side*side), side)
	require.NoError(t, err)
	return file
}

// A request that is too large is refused, whether it says so at its beginning or not.
func TestTooLarge(t *testing.T) {
	_, web, _ := start(t, nil, "decoder_opt")
	large := bytes.Repeat([]byte(" "), MostBody+1)
	for _, said := range []io.Reader{bytes.NewReader(large), io.MultiReader(bytes.NewReader(large))} { // the second has no length
		r, err := http.Post(web.URL+"/v1/chat/completions", "application/json", said)
		require.NoError(t, err)
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		assert.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode)
		assert.Equal(t, "request_too_large", faultOf(t, text).Code)
	}
	exactly := append(body(t, "decoder_opt", "color", "", nil), large...)[:MostBody]
	answered(t, web, exactly)
}

// A client that sends forever does not hold the server, and one that stops early is told.
func TestSlowAndShortBodies(t *testing.T) {
	_, web, _ := start(t, func(o *Options) { o.Slow = 20 * time.Millisecond }, "decoder_opt")
	send := func(begin string, length string, more bool) (int, apiError) {
		c, err := net.Dial("tcp", web.Listener.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: "+length+"\r\n\r\n"+begin)
		require.NoError(t, err)
		if !more {
			require.NoError(t, c.(*net.TCPConn).CloseWrite())
		}
		answer, err := io.ReadAll(c)
		require.NoError(t, err)
		head, text, found := strings.Cut(string(answer), "\r\n\r\n")
		require.True(t, found, string(answer))
		status := strings.Fields(head)[1]
		return map[string]int{"408": 408, "400": 400}[status], faultOf(t, []byte(text))
	}
	status, e := send(`{"model"`, "100", true)
	assert.Equal(t, 408, status)
	assert.Contains(t, e.Message, "did not arrive within")
	status, e = send(`{"model"`, "100", false)
	assert.Equal(t, 400, status)
	assert.Contains(t, e.Message, "ended early")
}

// More than may wait are refused with the time to come again, what waits too long is told so, and what fails is the server's fault.
func TestBusyLateAndFailed(t *testing.T) {
	s, web, _ := start(t, func(o *Options) { o.Waiting = 1 }, "decoder_opt")
	n := newNetwork(true)
	m := s.models[0]
	m.queue.network = n
	text := body(t, "decoder_opt", "color", "", nil)
	ended := make(chan int, 2)
	answer := func() {
		r, err := http.Post(web.URL+"/v1/chat/completions", "application/json", bytes.NewReader(text))
		if err != nil {
			ended <- 0
			return
		}
		r.Body.Close()
		ended <- r.StatusCode
	}
	go answer()
	<-n.begun
	waits := &job{}
	require.NoError(t, s.batcher.submit(m.queue, waits))
	status, header, told := post(t, web, text)
	assert.Equal(t, http.StatusTooManyRequests, status)
	assert.Equal(t, retryAfter, header.Get("Retry-After"))
	assert.Equal(t, rateLimit, faultOf(t, told).Type)
	s.batcher.withdraw(m.queue, waits)

	late := *s.chat
	late.o.Timeout = time.Millisecond
	w := httptest.NewRecorder()
	late.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(text)))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "timeout", faultOf(t, w.Body.Bytes()).Code)
	waiting, _ := s.batcher.count(m.queue)
	assert.Zero(t, waiting, "nothing waits for a client that has its answer")
	close(n.goOn)
	assert.Equal(t, http.StatusOK, <-ended)

	m.queue.network = failingNetwork{}
	status, _, told = post(t, web, text)
	assert.Equal(t, http.StatusInternalServerError, status)
	e := faultOf(t, told)
	assert.Equal(t, serverError, e.Type)
	assert.Contains(t, e.Message, "all of them fail")
	_, counted := get(t, web.URL+"/metrics")
	for _, status := range []string{"429", "503", "500"} {
		assert.Contains(t, counted, `espalier_request_failure_total{model_name="decoder_opt",status="`+status+`"} 1`)
	}
}

type failingNetwork struct{}

func (failingNetwork) Ask([]byte, []model.Question, model.GenerateOptions) ([]speaker.Answer, error) {
	return nil, errors.New("all of them fail")
}

// After its context has ended a server takes no more, and answers what it has.
func TestStopFinishesWhatRuns(t *testing.T) {
	s, _, _ := start(t, nil, "decoder_opt")
	n := newNetwork(true)
	s.models[0].queue.network = n
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	text := body(t, "decoder_opt", "color", "", nil)
	status := make(chan int, 1)
	go func() {
		r, err := http.Post("http://"+l.Addr().String()+"/v1/chat/completions", "application/json", bytes.NewReader(text))
		if err != nil {
			status <- 0
			return
		}
		r.Body.Close()
		status <- r.StatusCode
	}()
	<-n.begun
	stop()
	for { // the listener closes at its own time
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	close(n.goOn)
	assert.Equal(t, http.StatusOK, <-status)
	assert.NoError(t, <-served)
}
