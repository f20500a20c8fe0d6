package data

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Sequences says what the source "sequences" draws: rows without a picture, whose answers are strings of digits.
type Sequences struct {
	Tasks             []string // some of SequenceTasks; none: all
	Shortest, Longest int      // digits of a string; 0: 2 and 6
	OODLongest        int      // of the strings of the split ood, which are longer than Longest; 0: 8
}

// SequenceTasks are the tasks: a string of digits backwards, and the sum of two numbers of as many digits. Numbers are written from
// their lowest digit on, so that a sum can be said digit by digit; it always has one digit more.
var SequenceTasks = []string{"reverse", "add"}

// sequenceSplit is one split: its own random stream, and which strings belong to it. A hash of the question puts it into one of
// sequenceShares shares, so that no question of one split occurs in another.
type sequenceSplit struct {
	name        string
	stream      uint64
	rows        int // by default
	first, last int // shares
	ood         bool
}

const sequenceShares = 16

var (
	sequenceTrain      = sequenceSplit{"train", 1, 12_000, 2, sequenceShares - 1, false}
	sequenceValidation = sequenceSplit{"validation", 2, 400, 0, 0, false}
	sequenceTest       = sequenceSplit{"test", 3, 1_000, 1, 1, false}
	sequenceOOD        = sequenceSplit{"ood", 4, 1_000, 0, sequenceShares - 1, true}
)

// openSequences draws the sequence tasks.
func openSequences(cfg Config) (*Dataset, error) {
	s := cfg.Sequences
	s.Shortest, s.Longest, s.OODLongest = cmp.Or(s.Shortest, 2), cmp.Or(s.Longest, 6), cmp.Or(s.OODLongest, 8)
	if len(s.Tasks) == 0 {
		s.Tasks = SequenceTasks
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("data: sequences: %w", err)
	}
	d := &Dataset{
		Name:       "sequences",
		Train:      s.split(sequenceTrain, cfg.Train),
		Validation: s.split(sequenceValidation, cfg.Validation),
		Test:       s.split(sequenceTest, cfg.Test),
		OOD:        s.split(sequenceOOD, cfg.OOD),
	}
	if err := d.prepare(cfg.MemoryBudget, &faults{}); err != nil {
		return nil, err
	}
	d.listTasks()
	var err error
	d.Tokenizer, err = buildVocabulary(d)
	return d, err
}

func (s Sequences) check() error {
	for _, task := range s.Tasks {
		if !slices.Contains(SequenceTasks, task) {
			return fmt.Errorf("there is no task %q; there are %s", task, strings.Join(SequenceTasks, ", "))
		}
	}
	if s.Shortest < 1 || s.Longest < s.Shortest || s.Longest < 2 || s.OODLongest <= s.Longest {
		return fmt.Errorf("strings of %d to %d digits, and of up to %d out of distribution: give shortest ≤ longest < ood_longest, and at least 2 for longest",
			s.Shortest, s.Longest, s.OODLongest)
	}
	return nil
}

func (s Sequences) split(split sequenceSplit, limit int) *Split {
	questions := make([][]Question, cmp.Or(limit, split.rows))
	parallel(len(questions), func(i int) { questions[i] = []Question{s.draw(split, i)} })
	return newSplit(split.name, questions, 0, noPictures{func(i, _ int) string { return fmt.Sprintf("sequences/%s row %d", split.name, i) }})
}

// draw is row i of a split. A question of another split's share is drawn anew as a whole, its length included: of the shortest
// strings a split may have none.
func (s Sequences) draw(split sequenceSplit, i int) Question {
	r := splitmix{mix(split.stream*0x1000003D+191) + uint64(i)*0xD1342543DE82EF95}
	shortest, longest := s.Shortest, s.Longest
	if split.ood {
		shortest, longest = s.Longest+1, s.OODLongest
	}
	for {
		task, n := s.Tasks[r.below(len(s.Tasks))], shortest+r.below(longest-shortest+1)
		q := Question{Task: task, Category: fmt.Sprintf("%d digits", n)}
		var answer []int
		switch a := digits(&r, n); task {
		case "reverse":
			q.Text, answer = task+" "+spaced(a), slices.Clone(a)
			slices.Reverse(answer)
		case "add":
			b := digits(&r, n)
			q.Text, answer = task+" "+spaced(a)+" + "+spaced(b), sum(a, b)
		}
		q.Answers = []string{spaced(answer)}
		if share := shareOf(q.Text); share >= split.first && share <= split.last {
			return q
		}
	}
}

// shareOf is FNV-1a, mixed.
func shareOf(text string) int {
	h := uint64(0xCBF29CE484222325)
	for _, c := range []byte(text) {
		h = (h ^ uint64(c)) * 0x100000001B3
	}
	return int(mix(h) % sequenceShares)
}

func digits(r *splitmix, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = r.below(10)
	}
	return out
}

// sum adds two numbers of as many digits, from the lowest on.
func sum(a, b []int) (out []int) {
	carry := 0
	for i := range a {
		at := a[i] + b[i] + carry
		out, carry = append(out, at%10), at/10
	}
	return append(out, carry)
}

// spaced writes digits as words: each is a token.
func spaced(digits []int) string {
	words := make([]string, len(digits))
	for i, d := range digits {
		words[i] = strconv.Itoa(d)
	}
	return strings.Join(words, " ")
}
