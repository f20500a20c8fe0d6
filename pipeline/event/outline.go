package event

import "strings"

// Outline is the work that lies before a run if every gate passes, told once its sizes are known: the phases, in their order.
type Outline struct {
	Work []Work `json:"work"`
}

// Work is a phase, or several alike. Where one of a group begins, all work of groups before it is over; within a group the order is not
// known. Weight is what one of them costs, in a unit that all share; no more than a guess.
type Work struct {
	Stage  string  `json:"stage,omitempty"`
	Phase  string  `json:"phase"`
	Detail string  `json:"detail,omitempty"` // empty: any; one that ends with a blank is how they begin
	Times  int     `json:"times"`
	Group  int     `json:"group"`
	Weight float64 `json:"weight"`
}

// Is tells whether a phase is of this work.
func (w Work) Is(p Phase) bool {
	if w.Stage != p.Stage || w.Phase != p.Name {
		return false
	}
	if strings.HasSuffix(w.Detail, " ") {
		return strings.HasPrefix(p.Detail, w.Detail)
	}
	return w.Detail == "" || w.Detail == p.Detail
}

func (Outline) event() {}
