package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// jsonFault says what is wrong in a JSON file with the file's own keys and lines, where encoding/json speaks of Go's types.
func jsonFault(data []byte, err error) error {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("it holds a JSON %s, want an object: {…}", kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("%s is a JSON %s, want %s", kind.Field, kind.Value, jsonKind(kind.Type))
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("the file is empty; copy it again")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && strings.Contains(syntax.Error(), "unexpected end"):
		return errors.New("the JSON ends too early; copy the file again")
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: malformed JSON: %w", 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")), err)
	}
	return err
}

func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	return "an object"
}
