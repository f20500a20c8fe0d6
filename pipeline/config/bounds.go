package config

import (
	"fmt"
	"math"
	"strings"
)

// bounds is what a number may be; an infinite bound is none.
type bounds struct {
	low, high         float64
	lowOpen, highOpen bool
	unit              unit
}

var everything = bounds{low: math.Inf(-1), high: math.Inf(1)}

// parseBounds reads [0,1), with [ and ] for a bound that belongs to the range; a bound that is left out is infinite.
func parseBounds(text string, u unit) (b bounds, err error) {
	low, high, ok := strings.Cut(strings.Trim(text, "[]()"), ",")
	if !ok {
		return b, fmt.Errorf("%q is not as [0,1)", text)
	}
	b = bounds{math.Inf(-1), math.Inf(1), text[0] == '(', strings.HasSuffix(text, ")"), u}
	if low != "" {
		if b.low, err = u.parse(low); err != nil {
			return b, err
		}
	}
	if high != "" {
		b.high, err = u.parse(high)
	}
	return b, err
}

// String is the range as docs/config.md shows it.
func (b bounds) String() string {
	switch {
	case b.low == everything.low && b.high == everything.high:
		return ""
	case math.IsInf(b.high, 1) && b.lowOpen:
		return "above " + b.unit.show(b.low)
	case math.IsInf(b.high, 1):
		return "at least " + b.unit.show(b.low)
	}
	left, right := "[", "]"
	if b.lowOpen {
		left = "("
	}
	if b.highOpen {
		right = ")"
	}
	return left + b.unit.show(b.low) + ", " + b.unit.show(b.high) + right
}

// refuse is the reason why a number may not be, or nothing.
func (b bounds) refuse(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Sprintf("%g is not a finite number", v)
	case v > b.low && v < b.high, v == b.low && !b.lowOpen, v == b.high && !b.highOpen:
		return ""
	case math.IsInf(b.high, 1):
		return b.unit.show(v) + " is not " + b.String()
	}
	return b.unit.show(v) + " is not in " + b.String()
}
