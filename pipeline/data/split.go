package data

import (
	"fmt"
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"espalier/pipeline/fault"
)

// Split is one part of a data set. Goroutines may share it.
type Split struct {
	Name      string
	size      int
	questions [][]Question // by picture
	pictures  pictures
	pixels    []uint8     // [pictures, 3, size, size]; nil: each is drawn or decoded when it is asked for
	drawn     []sync.Once // of pixels whose pictures are drawn when they are first asked for, by picture; else nil
	parts     []Part      // of a divided split, by picture; else nil
	hash      string
	made      []string // what each picture was made from when the data set was opened
}

// Hash is a SHA-256, in hexadecimal, of everything that determines the pictures at their size, the questions and their order,
// before the split was divided.
func (s *Split) Hash() string { return s.hash }

// pictures is where a split's pictures come from.
type pictures interface {
	// load writes picture i, planar RGB [3, size, size], and gives a fingerprint of what it was made from.
	load(i int, dst []uint8) (fingerprint string, err error)
	// verify finds out, cheaply, whether load would succeed, and gives a fingerprint as well.
	verify(i int) (fingerprint string, err error)
	// place is where question q of picture i was written, for errors.
	place(i, q int) string
	// sound tells whether load cannot fail. Such pictures need not be made before they are asked for.
	sound() bool
	// without leaves some pictures out.
	without(broken []bool) pictures
}

// Len is the number of pictures.
func (s *Split) Len() int { return len(s.questions) }

// Size is the side of the pictures, pixels.
func (s *Split) Size() int { return s.size }

// Questions are those of picture i. They belong to the split: do not change them.
func (s *Split) Questions(i int) []Question { return s.questions[i] }

// Place is where question q of picture i was written: a metadata file and its line, or the number of a drawn picture.
func (s *Split) Place(i, q int) string {
	p := s.part(i)
	return s.pictures.place(p.Picture, p.From+q)
}

// QuestionCount is the number of questions of all pictures.
func (s *Split) QuestionCount() int { return s.Count(func(Question) bool { return true }) }

// Count is the number of such questions.
func (s *Split) Count(such func(Question) bool) (n int) {
	for _, questions := range s.questions {
		for _, q := range questions {
			if such(q) {
				n++
			}
		}
	}
	return n
}

// Pixels writes picture i, planar RGB [3, Size, Size], into dst, which has exactly that length. A picture that is not what it was
// when the data set was opened is an error: results would be kept under the hash of another data set.
func (s *Split) Pixels(i int, dst []uint8) error {
	n := s.pictureBytes()
	if i < 0 || i >= s.Len() {
		return fmt.Errorf("data: there is no picture %d in split %q, which has %d; take one from 0 on", i, s.Name, s.Len())
	}
	if len(dst) != n {
		return fmt.Errorf("data: room for %d bytes, but a picture of split %q takes %d; give it exactly that", len(dst), s.Name, n)
	}
	picture := s.Picture(i)
	if s.pixels != nil {
		kept := s.pixels[picture*n : (picture+1)*n]
		if s.drawn != nil {
			s.drawn[picture].Do(func() { _, _ = s.pictures.load(picture, kept) })
		}
		copy(dst, kept)
		return nil
	}
	made, err := s.pictures.load(picture, dst)
	if err != nil {
		return &Unreadable{s.Place(i, 0), err}
	}
	if s.made != nil && made != s.made[picture] {
		return fmt.Errorf("data: %s: the picture changed while the run used it; start the run again, which computes anew what depends on it", s.Place(i, 0))
	}
	return nil
}

func (s *Split) pictureBytes() int { return 3 * s.size * s.size }

// prepare loads all pictures, or verifies them, on all cores, and gives their fingerprints. Those that cannot be broken are
// only loaded once they are asked for.
func (s *Split) prepare(inMemory bool, bad *faults) (fingerprints []string) {
	n := s.pictureBytes()
	fingerprints = make([]string, s.Len())
	errs := make([]error, s.Len())
	if inMemory {
		s.pixels = make([]uint8, s.Len()*n)
		if s.pictures.sound() {
			s.drawn = make([]sync.Once, s.Len())
		}
	}
	parallel(s.Len(), func(i int) {
		if inMemory && s.drawn == nil {
			fingerprints[i], errs[i] = s.pictures.load(i, s.pixels[i*n:(i+1)*n])
		} else {
			fingerprints[i], errs[i] = s.pictures.verify(i)
		}
	})
	broken, some := make([]bool, len(errs)), false
	for i, err := range errs {
		if err == nil {
			continue
		}
		broken[i], some = true, true
		rows := 1 // a fault is told once
		if bad.skip {
			rows = len(s.questions[i])
		}
		for q := range rows {
			bad.row(s.Place(i, q), "%v", err)
		}
	}
	if some && bad.skip {
		fingerprints = s.leaveOut(broken, fingerprints)
	}
	s.made = fingerprints
	return fingerprints
}

// leaveOut takes pictures with their questions out of the split.
func (s *Split) leaveOut(broken []bool, fingerprints []string) (left []string) {
	n := s.pictureBytes()
	var questions [][]Question
	for i, out := range broken {
		if out {
			continue
		}
		if s.pixels != nil {
			copy(s.pixels[len(left)*n:], s.pixels[i*n:(i+1)*n])
		}
		questions, left = append(questions, s.questions[i]), append(left, fingerprints[i])
	}
	if s.pixels != nil {
		s.pixels = s.pixels[:len(left)*n]
	}
	s.questions, s.pictures = questions, s.pictures.without(broken)
	return left
}

// parallel calls f(0) … f(n-1) on all cores and returns when all have returned. A panic in one is a panic here.
func parallel(n int, f func(i int)) {
	var next atomic.Int64
	var workers errgroup.Group
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() (err error) {
			defer fault.Caught(&err)
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		panic(err)
	}
}

// writeTo adds to a hash what determines the split. Every text goes in with its length, so that different
// splits never give the same bytes.
func (s *Split) writeTo(h hash.Hash, fingerprints []string) {
	text := func(t string) {
		fmt.Fprintf(h, "%d:", len(t))
		io.WriteString(h, t)
	}
	text(s.Name)
	fmt.Fprintf(h, "%d;", s.Len())
	for i, questions := range s.questions {
		text(fingerprints[i])
		fmt.Fprintf(h, "%d;", len(questions))
		for _, q := range questions {
			text(q.Text)
			text(q.Task)
			text(q.Category)
			fmt.Fprintf(h, "%d;", len(q.Answers))
			for _, a := range q.Answers {
				text(a)
			}
		}
	}
}
