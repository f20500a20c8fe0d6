package serve

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sent is the answer to a request with these headers, name and value in turn.
func sent(t *testing.T, web *httptest.Server, method, path string, text []byte, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, web.URL+path, bytes.NewReader(text))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func refusal(t *testing.T, r *http.Response) apiError {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return faultOf(t, text)
}

func TestToken(t *testing.T) {
	_, web, _ := start(t, func(o *Options) { o.Token = "open sesame" }, "decoder_opt")
	text := body(t, "decoder_opt", "color", "", nil)
	for _, said := range []string{"", "Bearer open", "Basic open sesame", "Bearer ", "open sesame"} {
		for path, method := range map[string]string{"/v1/chat/completions": "POST", "/v1/models": "GET", "/v1/nothing": "GET", "/samples": "GET", "/samples/0": "GET"} {
			r := sent(t, web, method, path, text, "Authorization", said)
			assert.Equal(t, http.StatusUnauthorized, r.StatusCode)
			assert.Equal(t, "Bearer", r.Header.Get("WWW-Authenticate"))
			assert.Equal(t, "invalid_api_key", refusal(t, r).Code)
		}
	}
	assert.Equal(t, http.StatusOK, sent(t, web, "POST", "/v1/chat/completions", text, "Authorization", "bearer open sesame").StatusCode)
	for _, free := range []string{"/health", "/version", "/metrics", "/"} {
		assert.Equal(t, http.StatusOK, sent(t, web, "GET", free, nil).StatusCode, free)
	}
}

// Pages elsewhere may ask only where the server was told so.
func TestPagesElsewhere(t *testing.T) {
	text := body(t, "decoder_opt", "color", "", nil)
	const here, there = "https://example.org", "https://example.com"
	for _, c := range []struct {
		origins []string
		allowed map[string]bool
	}{
		{nil, map[string]bool{here: false, there: false}},
		{[]string{here}, map[string]bool{here: true, there: false}},
		{[]string{"*"}, map[string]bool{here: true, there: true}},
	} {
		_, web, _ := start(t, func(o *Options) { o.Origins = c.origins }, "decoder_opt")
		for origin, allowed := range c.allowed {
			r := sent(t, web, "OPTIONS", "/v1/chat/completions", nil, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
			assert.Equal(t, http.StatusNoContent, r.StatusCode)
			assert.Equal(t, allowed, r.Header.Get("Access-Control-Allow-Origin") == origin)
			assert.Equal(t, allowed, r.Header.Get("Access-Control-Allow-Headers") == "authorization,content-type")
			r = sent(t, web, "POST", "/v1/chat/completions", text, "Origin", origin, "Sec-Fetch-Site", "cross-site")
			assert.Equal(t, map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[allowed], r.StatusCode)
			if !allowed {
				assert.Contains(t, refusal(t, r).Message, "-cors")
			}
		}
		assert.Equal(t, http.StatusOK, sent(t, web, "POST", "/v1/chat/completions", text, "Origin", web.URL, "Sec-Fetch-Site", "same-origin").StatusCode)
	}
	_, err := Open(Options{Origins: []string{"example.org/page"}})
	assert.ErrorContains(t, err, "-cors")
}

// A name that someone gave this machine's address does not make a page of that name one of this server's.
func TestHosts(t *testing.T) {
	_, web, _ := start(t, nil, "decoder_opt")
	for host, allowed := range map[string]bool{"localhost:8000": true, "127.0.0.1": true, "[::1]:80": true, "x.localhost": true, "evil.example:8000": false, "10.0.0.1": false, "localhost.evil.example": false} {
		assert.Equal(t, map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[allowed], sent(t, web, "GET", "/health", nil, "Host", host).StatusCode, host)
	}
	_, web, _ = start(t, func(o *Options) { o.Loopback = false }, "decoder_opt")
	assert.Equal(t, http.StatusOK, sent(t, web, "GET", "/health", nil, "Host", "models.example").StatusCode)
}

// Every path answers in OpenAI's form, also where there is nothing.
func TestPaths(t *testing.T) {
	_, web, _ := start(t, nil, "decoder_opt")
	for path, want := range map[string]string{
		"/v1/models": `"object":"list"`, "/v1/models/decoder_opt": `"owned_by":"espalier"`, "/health": `"status":"ok"`, "/version": `"libtorch":"`,
		"/metrics": "espalier_num_requests_running", "/samples": `"samples":[]`, "/": "Ask the models",
	} {
		status, text := get(t, web.URL+path)
		assert.Equal(t, http.StatusOK, status, path)
		assert.Contains(t, text, want)
	}
	for _, path := range []string{"/v1/models/none", "/v1/completions", "/nothing", "/samples/0"} {
		r := sent(t, web, "GET", path, nil)
		assert.Equal(t, http.StatusNotFound, r.StatusCode)
		assert.NotEmpty(t, refusal(t, r).Message)
	}
	for path, method := range map[string]string{"/v1/chat/completions": "GET", "/v1/models": "POST", "/health": "DELETE"} {
		r := sent(t, web, method, path, nil)
		assert.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
		assert.NotEmpty(t, r.Header.Get("Allow"))
		assert.Equal(t, "method_not_allowed", refusal(t, r).Code)
	}
}

// The page and its parts name nothing outside the server.
func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	for _, file := range []string{"index.html", "page.css", "page.js"} {
		text, err := pageFiles.ReadFile("page/" + file)
		require.NoError(t, err)
		for _, link := range []string{"http:", "https:", "=\"//", "url(", "@import"} {
			assert.NotContains(t, string(text), link, file)
		}
	}
}

// A picture may be named by its address only where the server was told to fetch it.
func TestFetchedPictures(t *testing.T) {
	s, web, pictures := start(t, func(o *Options) { o.Fetch = true }, "blip2_opt")
	files := httptest.NewServer(http.FileServer(http.Dir(pictures)))
	defer files.Close()
	want, _ := alone(t, s.models[0].Speaker, filepath.Join(pictures, "3.png"), "color")
	assert.Equal(t, want, *answered(t, web, body(t, "blip2_opt", "color", files.URL+"/3.png", nil)).Choices[0].Message.Content)
	for url, fault := range map[string]string{files.URL + "/none.png": "404", files.URL + "/metadata.jsonl": "not a picture", "http://127.0.0.1:1/x.png": "cannot be fetched"} {
		status, _, answer := post(t, web, body(t, "blip2_opt", "color", url, nil))
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, faultOf(t, answer).Message, fault)
	}
}
