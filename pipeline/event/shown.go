package event

import "image"

// Histograms are those of the scores of a cut's units, or of a network's weights, by what they are of: "vision heads", "language".
type Histograms struct {
	Of     string               `json:"of"` // Importance or Weights
	Stage  string               `json:"-"`
	Cut    int                  `json:"cut,omitempty"`  // of importance
	When   When                 `json:"when,omitempty"` // of a student's weights
	Kept   bool                 `json:"kept"`
	Groups map[string]Histogram `json:"groups"`
}

// What histograms are of.
const (
	Importance = "importance"
	Weights    = "weights"
)

// Answers are what the teacher, and a student where Stage is a stage's, say to some pictures of the test split.
type Answers struct {
	Stage    string     `json:"-"`
	When     When       `json:"when,omitempty"`
	Pictures []Answered `json:"pictures"`
}

// Answered is a picture with what was said to it.
type Answered struct {
	Place   string      `json:"place"` // file and line of its first question, or the number of a drawn picture
	Picture image.Image `json:"-"`     // as the networks see it; nil: there is none
	Asked   []Asked     `json:"asked"`
}

// Asked is a question and what was said to it.
type Asked struct {
	Question string   `json:"question"`
	Accepted []string `json:"accepted"`
	Teacher  string   `json:"teacher"`
	Student  string   `json:"student,omitempty"`
}

func (Histograms) event() {}
func (Answers) event()    {}
