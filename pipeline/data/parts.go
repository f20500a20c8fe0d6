package data

import "slices"

// Part is some of a picture's questions, one after another.
type Part struct {
	Picture  int // in the split
	From, To int // of its questions
}

// Parts are what a split counts as its pictures: all of a picture's questions each, until the split is divided.
type Parts []Part

// whole has a part for each picture.
func whole(questions [][]Question) Parts {
	parts := make(Parts, len(questions))
	for i, q := range questions {
		parts[i] = Part{Picture: i, To: len(q)}
	}
	return parts
}

// Pictures is the number of pictures that the parts are of.
func (p Parts) Pictures() int {
	if len(p) == 0 {
		return 0
	}
	return p[len(p)-1].Picture + 1
}

// Of is how many parts the first pictures have.
func (p Parts) Of(pictures int) int {
	at, _ := slices.BinarySearchFunc(p, pictures, func(p Part, n int) int { return p.Picture - n })
	return at
}

// Parts are those of the split, in the order of its pictures: do not change them.
func (s *Split) Parts() Parts { return s.parts }

// Divide gives the split with each part as a picture of its own: what has 300 questions then costs what copies of it
// would. The parts cover every question once, in order. Pixels are shared with s.
func (s *Split) Divide(parts []Part) *Split {
	d := *s
	d.parts, d.questions = parts, make([][]Question, len(parts))
	for i, p := range parts {
		d.questions[i] = s.questions[p.Picture][p.From:p.To]
	}
	return &d
}
