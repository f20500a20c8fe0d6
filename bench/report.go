package bench

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
	Target  float64    `json:"target"`           // greatest median of the ratios
	Reached bool       `json:"reached"`
	Rounds  int        `json:"rounds"`
	Times   int        `json:"times"` // repetitions in a round
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
		if m.There != nil && !m.Reached {
			return true
		}
	}
	return false
}
