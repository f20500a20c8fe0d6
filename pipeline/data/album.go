package data

import (
	"errors"
	"sync"
)

// album holds the pictures of a split: where they come from, and how they are kept. Goroutines may share it.
type album struct {
	source pictures
	size   int         // side of the pictures, pixels
	pixels []uint8     // [pictures, 3, size, size]; nil: each is drawn or decoded when it is asked for
	drawn  []sync.Once // of pixels whose pictures are drawn when they are first asked for, by picture; else nil
	made   []string    // what each picture was made from when the data set was opened
}

// pictures is where the pictures of a split come from.
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

var errChanged = errors.New("the picture changed while the run used it; start the run again, which computes anew what depends on it")

// bytes is the length of a picture.
func (a *album) bytes() int { return 3 * a.size * a.size }

// read writes picture i into dst, which has its length. One that is not what it was when the data set was opened is an error.
func (a *album) read(i int, dst []uint8) error {
	if n := a.bytes(); a.pixels != nil {
		kept := a.pixels[i*n : (i+1)*n]
		if a.drawn != nil {
			a.drawn[i].Do(func() { _, _ = a.source.load(i, kept) })
		}
		copy(dst, kept)
		return nil
	}
	made, err := a.source.load(i, dst)
	if err == nil && a.made != nil && made != a.made[i] {
		err = errChanged
	}
	return err
}

// open loads so many pictures, or verifies them, on all cores, and gives the fault of each that has one. Those that cannot be
// broken are only loaded once they are asked for.
func (a *album) open(count int, inMemory bool) (faults []error) {
	n := a.bytes()
	a.made, faults = make([]string, count), make([]error, count)
	if inMemory {
		a.pixels = make([]uint8, count*n)
		if a.source.sound() {
			a.drawn = make([]sync.Once, count)
		}
	}
	parallel(count, func(i int) {
		if inMemory && a.drawn == nil {
			a.made[i], faults[i] = a.source.load(i, a.pixels[i*n:(i+1)*n])
		} else {
			a.made[i], faults[i] = a.source.verify(i)
		}
	})
	return faults
}

// leaveOut takes pictures out. Only a source that is not sound has broken ones.
func (a *album) leaveOut(broken []bool) {
	n, left := a.bytes(), 0
	for i, out := range broken {
		if out {
			continue
		}
		if a.pixels != nil {
			copy(a.pixels[left*n:], a.pixels[i*n:(i+1)*n])
		}
		a.made[left] = a.made[i]
		left++
	}
	if a.pixels != nil {
		a.pixels = a.pixels[:left*n]
	}
	a.made, a.source = a.made[:left], a.source.without(broken)
}
