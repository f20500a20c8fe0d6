package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// request is what a client asks for.
type request struct {
	model    string
	question string
	picture  string // a URL; "" where there is none
	place    string // of the picture within the request
	tokens   int    // of the answer, at most; 0 where the client does not say
	stream   bool
	usage    bool // at the end of a stream
	logProbs bool
	top      bool // also as the most likely token at its place, which it is
	stop     []string
}

// field reads one field of a request.
type field func(r *request, value json.RawMessage) *apiError

// into reads a field as a T.
func into[T any](name, want string, set func(*request, T) *apiError) field {
	return func(r *request, value json.RawMessage) *apiError {
		var v T
		if err := json.Unmarshal(value, &v); err != nil {
			return refuseField(name, "invalid_type", "want %s, got %s", want, short(value))
		}
		return set(r, v)
	}
}

// without is a field of OpenAI's that asks for what is not done here: only the value that asks for nothing is accepted.
func without(name, remedy string, nothing ...string) field {
	return func(_ *request, value json.RawMessage) *apiError {
		var compact bytes.Buffer
		if json.Compact(&compact, value) == nil && slices.Contains(nothing, compact.String()) {
			return nil
		}
		return refuseField(name, "unsupported_value", "%s; got %s", remedy, short(value))
	}
}

// unused is a field that changes nothing here.
func unused(*request, json.RawMessage) *apiError { return nil }

// between are numbers that say how to draw tokens. Here the most likely one is taken, so that they change nothing.
func between(name string, low, high float64) field {
	return into(name, "a number", func(_ *request, v float64) *apiError {
		if v < low || v > high {
			return refuseField(name, "invalid_value", "%v is not in [%v, %v]", v, low, high)
		}
		return nil
	})
}

const (
	greedy  = "answers are the most likely tokens alone, so that this is not done; leave it out"
	noTools = "the networks call no tools; leave it out"
)

// fields are those of OpenAI's request. All others are unknown.
var fields = map[string]field{
	"model":    into("model", "a text", func(r *request, v string) *apiError { r.model = v; return nil }),
	"messages": func(r *request, value json.RawMessage) *apiError { return r.readMessages(value) },

	"max_tokens": into("max_tokens", "a whole number", func(r *request, v int) *apiError {
		if r.tokens > 0 { // max_completion_tokens, which is read first, counts
			return nil
		}
		return r.setTokens("max_tokens", v)
	}),
	"max_completion_tokens": into("max_completion_tokens", "a whole number", func(r *request, v int) *apiError {
		return r.setTokens("max_completion_tokens", v)
	}),
	"stream": into("stream", "true or false", func(r *request, v bool) *apiError { r.stream = v; return nil }),
	"stream_options": func(r *request, value json.RawMessage) *apiError {
		return eachField("stream_options", value, func(name string, v json.RawMessage) *apiError {
			switch name {
			case "stream_options.include_usage":
				return into(name, "true or false", func(r *request, v bool) *apiError { r.usage = v; return nil })(r, v)
			case "stream_options.include_obfuscation":
				return nil
			}
			return unknownField(name)
		})
	},
	"logprobs": into("logprobs", "true or false", func(r *request, v bool) *apiError { r.logProbs = v; return nil }),
	"top_logprobs": into("top_logprobs", "a whole number", func(r *request, v int) *apiError {
		if v < 0 || v > 1 {
			return refuseField("top_logprobs", "unsupported_value", "%d tokens at each place; here it is 0, or 1, which is the token of the answer itself", v)
		}
		r.top = v == 1
		return nil
	}),
	"stop": func(r *request, value json.RawMessage) *apiError {
		var one string
		if json.Unmarshal(value, &one) == nil {
			r.stop = []string{one}
		} else if json.Unmarshal(value, &r.stop) != nil {
			return refuseField("stop", "invalid_type", "want a text or a list of texts, got %s", short(value))
		}
		if len(r.stop) > 4 || slices.Contains(r.stop, "") {
			return refuseField("stop", "invalid_value", "want at most 4 texts, none of them empty")
		}
		return nil
	},

	"temperature": between("temperature", 0, 2), "top_p": between("top_p", 0, 1),
	"seed": unused, "user": unused, "metadata": unused, "store": unused, "service_tier": unused, "safety_identifier": unused,
	"prompt_cache_key": unused, "prompt_cache_retention": unused, "parallel_tool_calls": unused, "verbosity": unused, "reasoning_effort": unused,

	"n":                 without("n", "there is one answer to a question; give 1", "1"),
	"frequency_penalty": without("frequency_penalty", greedy, "0", "0.0"),
	"presence_penalty":  without("presence_penalty", greedy, "0", "0.0"),
	"logit_bias":        without("logit_bias", greedy, "{}"),
	"response_format":   without("response_format", `answers are plain text; give {"type": "text"}`, `{"type":"text"}`),
	"modalities":        without("modalities", `answers are text; give ["text"]`, `["text"]`),
	"tools":             without("tools", noTools, "[]"), "functions": without("functions", noTools, "[]"),
	"tool_choice":   without("tool_choice", noTools, `"none"`, `"auto"`),
	"function_call": without("function_call", noTools, `"none"`, `"auto"`),
	"audio":         without("audio", "answers are text; leave it out"),
	"prediction":    without("prediction", "no answer is foretold here; leave it out"), "web_search_options": without("web_search_options", "the networks search nowhere; leave it out"),
}

func (r *request) setTokens(name string, n int) *apiError {
	if n < 1 {
		return refuseField(name, "invalid_value", "%d; an answer has at least 1 token", n)
	}
	r.tokens = n
	return nil
}

// parse reads the body of a request.
func parse(body []byte) (*request, *apiError) {
	r := &request{}
	seen := map[string]bool{}
	err := eachField("", body, func(name string, value json.RawMessage) *apiError {
		read := fields[name]
		if read == nil {
			return unknownField(name)
		}
		if string(value) == "null" { // as if it were left out
			return nil
		}
		seen[name] = true
		return read(r, value)
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"model", "messages"} {
		if !seen[name] {
			return nil, refuseField(name, "missing_required_parameter", "it is missing; add it")
		}
	}
	return r, nil
}

// eachField calls f with each field of an object in the order of their names, so that of several faults the same one is told.
func eachField(of string, value json.RawMessage, f func(name string, value json.RawMessage) *apiError) *apiError {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(value, &all); err != nil || all == nil {
		if of == "" {
			return refuse(400, "invalid_json", "the body is no JSON object of a request: %v", jsonFault(err, value))
		}
		return refuseField(of, "invalid_type", "want an object, got %s", short(value))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		full := name
		if of != "" {
			full = of + "." + name
		}
		if err := f(full, all[name]); err != nil {
			return err
		}
	}
	return nil
}

func unknownField(name string) *apiError {
	return refuseField(short([]byte(name)), "unknown_parameter", "there is no such field; leave it out")
}

// jsonFault says what is wrong, and where.
func jsonFault(err error, value []byte) string {
	var syntax *json.SyntaxError
	switch {
	case len(bytes.TrimSpace(value)) == 0:
		return "it is empty"
	case errors.As(err, &syntax):
		return fmt.Sprintf("%v, at byte %d", err, syntax.Offset)
	}
	return "it is " + short(value)
}

// short is the beginning of what a client sent.
func short(value []byte) string {
	const most = 60
	text := strings.ToValidUTF8(string(value[:min(len(value), most)]), "")
	if len(value) > most {
		text += "…"
	}
	return text
}
