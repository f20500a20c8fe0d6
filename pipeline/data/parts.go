package data

import "slices"

// Part is some of a picture's questions, one after another.
type Part struct {
	Picture  int // in the split
	From, To int // of its questions
}

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

// Parts are those of a divided split, else nil.
func (s *Split) Parts() []Part { return s.parts }

// part tells which picture, and which of its questions, picture i of a split that may be divided stands for.
func (s *Split) part(i int) Part {
	if s.parts == nil {
		return Part{Picture: i, To: len(s.questions[i])}
	}
	return s.parts[i]
}

// Picture is the number that picture i had before the split was divided: the parts of a picture share it.
func (s *Split) Picture(i int) int { return s.part(i).Picture }

// Pictures is the number of pictures before the split was divided.
func (s *Split) Pictures() int {
	if s.parts == nil {
		return s.Len()
	}
	return s.parts[len(s.parts)-1].Picture + 1
}

// PartsOf is how many parts the first pictures have.
func (s *Split) PartsOf(pictures int) int {
	if s.parts == nil {
		return pictures
	}
	at, _ := slices.BinarySearchFunc(s.parts, pictures, func(p Part, n int) int { return p.Picture - n })
	return at
}
