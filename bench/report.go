package bench

import "math"

// Report is what a run found. Times are in seconds.
type Report struct {
	Rows    []Row    `json:"rows"`
	Checks  []Check  `json:"checks"`
	Machine Machine  `json:"machine"`
	Notes   []string `json:"notes,omitempty"` // such as why there is no Python side
}

// Row is one measure.
type Row struct {
	Name    string     `json:"name"`
	Here    Quartiles  `json:"go"`
	There   *Quartiles `json:"python,omitempty"` // nil without a Python side
	Ratio   *Quartiles `json:"ratio,omitempty"`  // of the two sides' medians, round by round
	Target  float64    `json:"target"`           // greatest median of the ratios; 0: none, both sides make the same call
	Reached bool       `json:"reached"`
	Rounds  int        `json:"rounds"`
	Times   int        `json:"times"`           // repetitions in a round
	With    string     `json:"with"`            // whom it is held against
	Bytes   bool       `json:"bytes,omitempty"` // the figures are bytes, not seconds
	Work    float64    `json:"work,omitempty"`  // floating-point operations of matrix products and attention; of a copy, the bytes moved
	Over    string     `json:"over,omitempty"`  // the series that it is part of, and its place there
	Of      float64    `json:"of,omitempty"`
}

// Exponent is that of a power law, fitted to a series.
type Exponent struct {
	Over  string  `json:"over"`
	Here  float64 `json:"go"`
	There float64 `json:"python,omitempty"`
}

// Exponents are the slopes of the logarithms, by least squares, of each series of more than one row.
func (r *Report) Exponents() (list []Exponent) {
	series := map[string][]Row{}
	var names []string
	for _, row := range r.Rows {
		if row.Over != "" {
			if series[row.Over] == nil {
				names = append(names, row.Over)
			}
			series[row.Over] = append(series[row.Over], row)
		}
	}
	for _, name := range names {
		rows := series[name]
		if len(rows) < 2 {
			continue
		}
		e := Exponent{Over: name, Here: slope(rows, func(r Row) float64 { return r.Here.Median })}
		if rows[0].There != nil {
			e.There = slope(rows, func(r Row) float64 { return r.There.Median })
		}
		list = append(list, e)
	}
	return list
}

func slope(rows []Row, of func(Row) float64) float64 {
	var x, y, xx, xy float64
	n := float64(len(rows))
	for _, r := range rows {
		a, b := math.Log(r.Of), math.Log(of(r))
		x, y, xx, xy = x+a, y+b, xx+a*a, xy+a*b
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// Check is a comparison of the two sides' results, without which their times say nothing.
type Check struct {
	Name       string  `json:"name"`
	Difference float64 `json:"difference"` // the largest
	Allowed    float64 `json:"allowed"`
}

// Machine is what the figures were taken on.
type Machine struct {
	CPU         string  `json:"cpu"`
	Cores       int     `json:"cores"`
	Load        float64 `json:"load"` // runnable processes in the minute before
	Threads     int     `json:"threads"`
	LibTorch    string  `json:"libtorch"`
	Python      string  `json:"python,omitempty"`
	SameLibrary bool    `json:"same_library"` // both sides' libtorch_cpu are equal byte for byte
}

// Event is something that a run wants to be seen.
type Event interface{ event() }

// Note is a sentence.
type Note struct{ Text string }

// Measured is a row that is ready.
type Measured struct{ Row Row }

func (Note) event()     {}
func (Measured) event() {}

// Missed tells whether a target is missed; without a Python side none is.
func (r *Report) Missed() bool {
	for _, m := range r.Rows {
		if m.There != nil && m.Target > 0 && !m.Reached {
			return true
		}
	}
	return false
}
