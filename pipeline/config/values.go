package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value reads, checks and writes a key that is no table.
func (t *table) value(k *key, v reflect.Value) {
	old := reflect.ValueOf(v.Interface())
	given, ok := t.in[k.name]
	if ok {
		if err := k.read(v, given, t.doc.raw[join(t.path, k.name)]); err != nil {
			t.fault(k.name, "%v", err)
			return
		}
	}
	if k.inherit != "" && v.IsZero() {
		v.Set(t.doc.top(k.inherit))
	}
	if k.drawn > 0 && v.IsZero() && t.owner.(*DataConfig).Source != "" {
		v.SetInt(int64(k.drawn))
	}
	t.out[k.name] = plain(v)
	if why := k.refuse(v); why != "" {
		t.fault(k.name, "%s", why)
		if ok {
			v.Set(old) // what would follow from a wrong value is noise
		}
	}
}

// read puts a value of the file into a field. The error says why it cannot. written is its text on the command line, where a
// text has no quotes to tell it from a number, as in -set output=7.
func (k *key) read(v reflect.Value, given any, written string) error {
	u := unitOf(k.of)
	text, isText := asText(given, written)
	switch k.of.Kind() {
	case reflect.Bool:
		b, ok := given.(bool)
		if !ok {
			return wrongType("true or false", given)
		}
		v.SetBool(b)
	case reflect.String:
		if !isText {
			return wrongType("a text", given)
		}
		v.SetString(text)
	case reflect.Slice:
		list, ok := asTexts(given)
		if !ok {
			return wrongType(`a list of texts as ["`+k.item()+`"]`, given)
		}
		v.Set(reflect.ValueOf(list))
	case reflect.Float64:
		n, ok := asNumber(given)
		if !ok {
			return wrongType(u.is, given)
		}
		v.SetFloat(n)
	case reflect.Int:
		n, ok := given.(int64)
		if !ok {
			return wrongType(u.is, given)
		}
		v.SetInt(n)
	default: // sizes and times are texts in the file
		if !isText {
			return wrongType(u.is, given)
		}
		n, err := u.parse(text)
		if err != nil {
			return err
		}
		if why := k.within.refuse(n); why != "" { // before it is a whole number: beyond 2^63 it would be another
			return errors.New(why)
		}
		v.SetInt(int64(n))
	}
	return nil
}

func wrongType(want string, value any) error {
	return fmt.Errorf("must be %s, not %s", want, describe(value))
}

// refuse is the reason why a value may not be, or nothing.
func (k *key) refuse(v reflect.Value) string {
	switch v := v.Interface().(type) {
	case int:
		if why := k.within.refuse(float64(v)); why != "" {
			return strconv.Itoa(v) + strings.TrimPrefix(why, wholes.show(float64(v))) // a float64 rounds beyond 2^53
		}
	case float64:
		return k.within.refuse(v)
	case Bytes:
		return k.within.refuse(float64(v))
	case time.Duration:
		return k.within.refuse(float64(v))
	case []string:
		if len(v) > mostItems {
			return fmt.Sprintf("a list of %d, more than %d", len(v), mostItems)
		}
		for _, item := range v {
			if why := k.refuseText(item); why != "" {
				return why
			}
		}
	case string:
		return k.refuseText(v)
	}
	return ""
}

func (k *key) refuseText(s string) string {
	switch {
	case s == "" && !k.required && k.fallback.String() == "":
		return ""
	case k.choices != nil && !slices.Contains(k.choices, s):
		return notAllowed(s, k.choices)
	case strings.Contains(s, "\x00") || len(s) > longest:
		return fmt.Sprintf("%q is longer than %d bytes, or has a zero byte", short(s), longest)
	case k.form != "":
		return forms[k.form].refuse(s)
	}
	return ""
}

// longest is the longest text of a key, bytes, and mostItems what a list holds at most.
const (
	longest   = 4096
	mostItems = 100
)

// item is what a list of texts may hold.
func (k *key) item() string {
	if k.choices != nil {
		return k.choices[0]
	}
	return strings.TrimPrefix(k.example, "#")
}

// form is what a free text must look like.
type form struct {
	is     string // for docs/config.md
	refuse func(string) string
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

var deviceName = regexp.MustCompile(`^(auto|cpu|cuda(:\d{1,3})?|test)$`) // "test" is for tests, and no message names it

var forms = map[string]form{
	"folder": {"a path", func(string) string { return "" }},
	"store": {"`user` or a folder", func(s string) string {
		if s != "" {
			return ""
		}
		return `it is empty: give "user", or a folder`
	}},
	"device": {"`auto`, `cpu`, `cuda`, `cuda:1` …", func(s string) string {
		if deviceName.MatchString(s) {
			return ""
		}
		return fmt.Sprintf(`%q is not one of "auto", "cpu", "cuda", "cuda:1"`, short(s))
	}},
	"candidate": {"`criterion/loss`, or `criterion` alone", func(string) string { return "" }}, // see checkScores
	"name": {"letters, digits, `-` and `_`", func(s string) string {
		if plainName.MatchString(s) {
			return ""
		}
		return fmt.Sprintf("%q is no name for a folder: use letters, digits, - and _", short(s))
	}},
	"shares": {"percents as `80/10/10`", func(s string) string {
		if _, err := Shares(s); err != nil {
			return err.Error()
		}
		return ""
	}},
	"prompt": {"a text with `{question}`", func(s string) string {
		if strings.Contains(s, "{question}") {
			return ""
		}
		return fmt.Sprintf(`%q has no {question}, the place of the question`, short(s))
	}},
}

// plain is a field's value as JSON and TOML have it.
func plain(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case Bytes:
		return x.String()
	case time.Duration:
		return showDuration(x)
	case []string:
		return append([]string{}, x...) // [] in JSON, where nil would be null
	default:
		return x
	}
}

// asText is a value as a text: one of the file, or what was written on the command line.
func asText(value any, written string) (string, bool) {
	s, ok := value.(string)
	if _, isTable := value.(map[string]any); !ok && !isTable && written != "" {
		return written, true
	}
	return s, ok
}

func asTexts(value any) (texts []string, ok bool) {
	list, ok := value.([]any)
	for _, item := range list {
		s, isText := item.(string)
		texts, ok = append(texts, s), ok && isText
	}
	return texts, ok
}

func asNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func describe(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("the text %q", short(v))
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return fmt.Sprint(v)
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "a list of tables"
	}
	return "a list"
}

func notAllowed(v string, allowed []string) string {
	var quoted []string
	for _, a := range allowed {
		quoted = append(quoted, strconv.Quote(a))
	}
	if v == "" {
		return "missing: give one of " + strings.Join(quoted, ", ")
	}
	text := fmt.Sprintf("%q is not one of %s", short(v), strings.Join(quoted, ", "))
	if near := nearest(v, allowed); near != "" {
		text += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return text
}
