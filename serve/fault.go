package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// The types of OpenAI's errors.
const (
	invalidRequest = "invalid_request_error"
	rateLimit      = "rate_limit_error"
	serverError    = "server_error"
)

// apiError is an error in OpenAI's form.
type apiError struct {
	status  int
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"` // the field at fault
	Code    string  `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

// refuse is an error that is the client's.
func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, Message: fmt.Sprintf(format, args...), Type: invalidRequest, Code: code}
}

// refuseField is an error in one field of a request.
func refuseField(field, code, format string, args ...any) *apiError {
	e := refuse(http.StatusBadRequest, code, "%s: %s", field, fmt.Sprintf(format, args...))
	e.Param = &field
	return e
}

// fail is an error that is not the client's.
func fail(status int, kind, code, format string, args ...any) *apiError {
	e := refuse(status, code, format, args...)
	e.Type = kind
	return e
}

// retryAfter are the seconds after which a client may ask again.
const retryAfter = "1"

// write answers a request with the error.
func (e *apiError) write(w http.ResponseWriter) {
	switch e.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close") // there may be more of the body than was read
	}
	writeJSON(w, e.status, map[string]*apiError{"error": e})
}

// writeJSON answers a request. A client that has gone away is nobody's fault.
func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("a value of the program's own cannot be written as JSON: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
