package pipeline

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule gives the reason why a number is refused, or nothing.
type rule func(v float64) string

func atLeast(low float64) rule {
	return func(v float64) string { return unless(v >= low, "%g is not at least %g", v, low) }
}

func atMost(high float64) rule {
	return func(v float64) string { return unless(v <= high, "%g is more than %g", v, high) }
}

func above(low float64) rule {
	return func(v float64) string { return unless(v > low, "%g is not above %g", v, low) }
}

func between(low, high float64) rule {
	return func(v float64) string { return unless(v >= low && v <= high, "%g is not in [%g, %g]", v, low, high) }
}

func unless(fine bool, format string, args ...any) string {
	if fine {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func (t *configTable) integer(key string, p *int, rules ...rule) {
	if value, given := t.take(key); given {
		v, ok := value.(int64)
		if !ok {
			t.wrongType(key, "a whole number", value)
			return
		}
		*p = int(v)
	}
	t.out[key] = *p
	t.hold(key, float64(*p), rules)
}

func (t *configTable) number(key string, p *float64, rules ...rule) {
	if value, given := t.take(key); given {
		v, ok := asNumber(value)
		if !ok {
			t.wrongType(key, "a number", value)
			return
		}
		*p = v
	}
	t.out[key] = *p
	t.hold(key, *p, rules)
}

// optionalNumber leaves *p nil when the file does not speak of it.
func (t *configTable) optionalNumber(key string, p **float64, rules ...rule) {
	_, given := t.in[key]
	if !given && *p == nil {
		t.known = append(t.known, key)
		return
	}
	var v float64
	if *p != nil {
		v = **p
	}
	t.number(key, &v, rules...)
	*p = &v
}

func (t *configTable) boolean(key string, p *bool) {
	if value, given := t.take(key); given {
		v, ok := value.(bool)
		if !ok {
			t.wrongType(key, "true or false", value)
			return
		}
		*p = v
	}
	t.out[key] = *p
}

func (t *configTable) text(key string, p *string) {
	if value, given := t.take(key); given {
		v, ok := t.asText(key, value)
		if !ok {
			t.wrongType(key, "a text", value)
			return
		}
		*p = v
	}
	t.out[key] = *p
}

// choice is a text out of a list; "" in the list lets the key be left out.
func (t *configTable) choice(key string, p *string, allowed ...string) {
	t.text(key, p)
	if !slices.Contains(allowed, *p) {
		t.fault(key, "%s", notAllowed(*p, allowed))
	}
}

func (t *configTable) choices(key string, p *[]string, allowed ...string) {
	if value, given := t.take(key); given {
		list, ok := value.([]any)
		if !ok {
			t.wrongType(key, `a list of texts as ["`+allowed[0]+`"]`, value)
			return
		}
		*p = nil
		for _, item := range list {
			v, ok := item.(string)
			if !ok {
				t.wrongType(key, `a list of texts as ["`+allowed[0]+`"]`, value)
				return
			}
			*p = append(*p, v)
		}
	}
	for _, v := range *p {
		if !slices.Contains(allowed, v) {
			t.fault(key, "%s", notAllowed(v, allowed))
		}
	}
	t.out[key] = append([]string{}, *p...) // [] in JSON, where nil would be null
}

var deviceName = regexp.MustCompile(`^(auto|cpu|cuda(:\d+)?)$`)

func (t *configTable) device(key string, p *string) {
	t.text(key, p)
	if !deviceName.MatchString(*p) {
		t.fault(key, `%q is not one of "auto", "cpu", "cuda", "cuda:1"`, *p)
	}
}

func (t *configTable) hold(key string, v float64, rules []rule) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		t.fault(key, "%g is not a finite number", v)
		return
	}
	for _, r := range rules {
		if why := r(v); why != "" {
			t.fault(key, "%s", why)
		}
	}
}

// asText also takes -set output=7: on the command line a text has no quotes to tell it from a number.
func (t *configTable) asText(key string, value any) (string, bool) {
	if raw, ok := t.doc.raw[join(t.path, key)]; ok {
		if _, isTable := value.(map[string]any); !isTable {
			if s, ok := value.(string); ok {
				return s, true
			}
			return raw, true
		}
	}
	s, ok := value.(string)
	return s, ok
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
		return fmt.Sprintf("the text %q", v)
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
		if a != "" {
			quoted = append(quoted, strconv.Quote(a))
		}
	}
	text := fmt.Sprintf("%q is not one of %s", v, strings.Join(quoted, ", "))
	if v == "" {
		return "missing: give one of " + strings.Join(quoted, ", ")
	}
	if near := nearest(v, allowed); near != "" {
		text += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return text
}
