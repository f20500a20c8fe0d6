package report

import "fmt"

// Energy is what the answers cost, and what a year of them would. Measured is null where no counter can be read.
type Energy struct {
	Measured *Joules  `json:"measured"`
	Modelled Modelled `json:"modelled"`
	Notes    []string `json:"notes,omitempty"` // what the figures do not cover, and why
}

// Modelled is what is not read from counters: joules from CPU time, where Measured is null, and the year, which is always a model.
type Modelled struct {
	Joules *Joules `json:"joules,omitempty"`
	Year   *Year   `json:"year,omitempty"`
}

// Basis says where a figure comes from.
type Basis string

const (
	Measured  Basis = "measured"  // by cumulative counters
	Estimated Basis = "estimated" // from CPU time and a stated power of a core, or from stated inputs
)

// Joules are those of an answer of each network, which took turns.
type Joules struct {
	Basis    Basis           `json:"basis"`
	Sources  []string        `json:"sources"` // the counters that were added up, or what the estimate is made of
	Networks []NetworkJoules `json:"networks"`
	Idle     Spread          `json:"idle_watts"`
	Trials   int             `json:"trials"`
	Window   float64         `json:"window_s"` // of each network in each trial, at least
	Batch    int             `json:"batch"`    // pictures that answer together, each with all its questions
	Threads  int             `json:"threads"`
	Device   string          `json:"device"`
}

// NetworkJoules are the joules of an answer: all that was used while it was given, and that less what the idle machine uses.
type NetworkJoules struct {
	Name        string  `json:"name"`
	Gross       Spread  `json:"gross_j"`
	Net         Spread  `json:"net_j"`
	AnswersPerS float64 `json:"answers_per_s"` // median of the trials
}

// Spread is the median of the trials, and the least and greatest.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// Best is what is known of the joules: measured, or else estimated; nil where neither is.
func (e *Energy) Best() *Joules {
	if e.Measured != nil {
		return e.Measured
	}
	return e.Modelled.Joules
}

// Year is what a year of answers saves with the student in the teacher's place, as a model of stated inputs.
type Year struct {
	Formula  string     `json:"formula"`
	Basis    Basis      `json:"basis"` // of the joules; all else is an input
	Claim    float64    `json:"claim_kwh"`
	Saved    float64    `json:"saved_kwh"` // with every input at its base
	Median   float64    `json:"median_kwh"`
	Interval [2]float64 `json:"interval_95_kwh"`
	Reached  float64    `json:"reached"` // share of the draws in which the claim is reached
	Draws    int        `json:"draws"`
	Seed     int        `json:"seed"`
	Inputs   []Input    `json:"inputs"`
}

// Input is one input of the year, and what it moves. In a draw it is below its base as often as above, and in each half as likely in
// one part of it as in another whose ends have the same ratio.
type Input struct {
	Name      string   `json:"name"`
	Unit      string   `json:"unit"`
	Low       float64  `json:"low"`
	Base      float64  `json:"base"`
	High      float64  `json:"high"`
	Source    string   `json:"source"`
	SavedLow  float64  `json:"saved_low_kwh"` // with this input at its low end and the others at their bases
	SavedHigh float64  `json:"saved_high_kwh"`
	Share     float64  `json:"variance_share"`       // of the variance of the draws
	BreakEven *float64 `json:"break_even,omitempty"` // at which the claim is just reached; absent where no value reaches it
}

// Line tells the year in one line.
func (y *Year) Line() string {
	verdict := "not reached"
	if y.Saved >= y.Claim {
		verdict = "reached"
	}
	return fmt.Sprintf("modelled: %s kWh a year saved (95 %% of draws: %s to %s); %s kWh is %s at the base inputs, and in %.1f %% of the draws",
		threeDigits(y.Saved), threeDigits(y.Interval[0]), threeDigits(y.Interval[1]), threeDigits(y.Claim), verdict, 100*y.Reached)
}
