package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// unit is how the numbers of a type are written.
type unit struct {
	is    string // what a value must be, for faults
	short string // the same in docs/config.md
	parse func(string) (float64, error)
	show  func(float64) string
}

var (
	wholes = unit{"a whole number", "whole number", parseFloat, func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }}
	floats = unit{"a number", "number", parseFloat, func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }}
	sizes  = unit{`a size as "20 GB"`, "size", parseBytes, showBytes}
	times  = unit{`a time as "2m" or "90s"`, "time", parseDuration, func(v float64) string { return showDuration(time.Duration(v)) }}
)

func unitOf(of reflect.Type) unit {
	switch {
	case of == reflect.TypeFor[Bytes]():
		return sizes
	case of == reflect.TypeFor[time.Duration]():
		return times
	case of.Kind() == reflect.Float64, of == estimateType:
		return floats
	}
	return wholes
}

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// Bytes is a number of bytes, written as "20 GB".
type Bytes int64

// byteUnits in falling order: a size is written in the first that divides it.
var byteUnits = []struct {
	name  string
	bytes float64
}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (b Bytes) String() string {
	for _, u := range byteUnits {
		if n := int64(u.bytes); b%Bytes(n) == 0 && b != 0 {
			return fmt.Sprintf("%d %s", int64(b)/n, u.name)
		}
	}
	return "0 B"
}

func parseBytes(s string) (float64, error) {
	number := strings.TrimRight(s, "BGKMTbgikmt ")
	name := strings.TrimSpace(s[len(number):])
	for _, u := range byteUnits {
		if !strings.EqualFold(u.name, name) {
			continue
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			break
		}
		return math.Round(v * u.bytes), nil
	}
	return 0, fmt.Errorf(`%q is no size: write a number with its unit, as "20 GB"`, short(s))
}

func showBytes(v float64) string {
	if math.Abs(v) >= 1<<63 {
		return fmt.Sprintf("%g B", v)
	}
	return Bytes(v).String()
}

func parseDuration(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf(`%q is no time: write a number with its unit, as "2m" or "90s"`, short(s))
	}
	return float64(d), nil
}

// showDuration leaves out what is nought: 2m, not 2m0s.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// short is a text of a file or a command line in a message: the beginning of a long one is enough to find it.
func short(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
