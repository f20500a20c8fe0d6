package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Estimate is a number that is not known exactly: written alone it is certain, else { base, low, high, source }.
type Estimate struct {
	Base, Low, High float64
	Source          string
}

// ownSource is the source of an estimate that names none.
const ownSource = "run.toml"

// estimateKeys are the keys of an estimate that is a table.
var estimateKeys = []string{"base", "low", "high", "source"}

// visit reads a number or a table, and writes a table.
func (e *Estimate) visit(t *table, of *key) {
	value, given := t.in[of.name]
	if given {
		if why := e.read(value); why != "" {
			t.fault(of.name, "%s", why)
			return
		}
	}
	if e.Low == 0 {
		e.Low = e.Base
	}
	if e.High == 0 {
		e.High = e.Base
	}
	if e.Source == "" {
		e.Source = ownSource
	}
	t.out[of.name] = map[string]any{"base": e.Base, "low": e.Low, "high": e.High, "source": e.Source}
	for _, v := range []float64{e.Low, e.Base, e.High} {
		if why := of.within.refuse(v); why != "" {
			t.fault(of.name, "%s", why)
			return
		}
	}
	if e.Low > e.Base || e.Base > e.High {
		t.fault(of.name, "low = %g, base = %g, high = %g are not in this order", e.Low, e.Base, e.High)
	}
}

// read takes a value of the file; the text says why it cannot.
func (e *Estimate) read(value any) (why string) {
	*e = Estimate{}
	if n, ok := asNumber(value); ok {
		e.Base = n
		return ""
	}
	in, ok := value.(map[string]any)
	if !ok {
		return wrongType("a number or { base, low, high, source }", value).Error()
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		switch at := slices.Index(estimateKeys, name); at {
		case -1:
			return unknownText(name, "", estimateKeys)
		case 3:
			if e.Source, ok = in[name].(string); !ok {
				return "source " + wrongType("a text", in[name]).Error()
			}
		default:
			if *[]*float64{&e.Base, &e.Low, &e.High}[at], ok = asNumber(in[name]); !ok {
				return name + " " + wrongType("a number", in[name]).Error()
			}
		}
	}
	if _, ok := in["base"]; !ok {
		return "base is missing: give the likeliest value"
	}
	return ""
}

// check refuses half of what an answer costs.
func (e *EnergyConfig) check(t *table) {
	if (e.TeacherJoules == nil) != (e.StudentJoules == nil) {
		t.fault("teacher_joules", "teacher_joules and student_joules go together: give both, or neither for what this run measures")
	}
}

// DefaultEnergy is an empty table [energy].
func DefaultEnergy() *EnergyConfig { return filled[EnergyConfig]() }

var estimateType = reflect.TypeFor[Estimate]()

// estimateAllowed is what an estimate may be, for docs/config.md.
func estimateAllowed(k *key) string {
	return fmt.Sprintf("%s, or `{ base, low, high, source }`", k.within)
}
