package data

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/fault"
)

// fakePictures fills picture i with the value i, and may fail at one.
type fakePictures struct {
	broken int
	loads  atomic.Int64
}

var errBroken = errors.New("broken")

func (p *fakePictures) load(i int, dst []uint8) (string, error) {
	p.loads.Add(1)
	if i == p.broken {
		return "", errBroken
	}
	for k := range dst {
		dst[k] = uint8(i)
	}
	return "", nil
}
func (p *fakePictures) verify(int) (string, error) { return "", nil }
func (p *fakePictures) sound() bool                { return false }
func (p *fakePictures) place(int, int) string      { return "fake:1" }

func fakeSplit(n, broken int) *Split {
	questions := make([][]Question, n)
	for i := range questions {
		questions[i] = []Question{{Text: string(rune('a' + i))}}
	}
	return newSplit("fake", questions, 2, &fakePictures{broken: broken})
}

// In a synctest bubble a goroutine that is left behind is a failure, so each test here also shows that none is.

func TestLoaderKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		split, order := fakeSplit(23, -1), Order(23, 1, 0)
		l := NewLoader(context.Background(), split, slices.Values(order), 4)
		var seen []int
		for {
			b, err := l.Next()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			require.Len(t, b.Pixels, len(b.Index)*12)
			for k, i := range b.Index {
				assert.Equal(t, slices.Repeat([]uint8{uint8(i)}, 12), b.Pixels[12*k:12*k+12])
				assert.Equal(t, split.Questions(i), b.Questions[k])
			}
			seen = append(seen, b.Index...)
		}
		assert.Equal(t, order, seen)
		_, err := l.Next()
		assert.Equal(t, io.EOF, err, "and again")
	})
}

func TestLoaderIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		split := fakeSplit(10, -1)
		l := NewLoader(context.Background(), split, Endless(10, 1, 0), 5)
		synctest.Wait() // all goroutines are stuck
		ahead := split.album.source.(*fakePictures).loads.Load()
		assert.LessOrEqual(t, ahead, int64(5*(runtime.GOMAXPROCS(0)+1)))
		assert.Positive(t, ahead)
		l.Close()
		_, err := l.Next()
		assert.ErrorIs(t, err, context.Canceled)
		l.Close()
	})
}

func TestLoaderStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		l := NewLoader(ctx, fakeSplit(10, -1), Endless(10, 1, 0), 3)
		_, err := l.Next()
		require.NoError(t, err)
		cancel()
		_, err = l.Next()
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestLoaderGivesTheErrorInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoader(context.Background(), fakeSplit(10, 7), func(yield func(int) bool) {
			for i := 0; yield(i % 10); i++ { // endless: the error must stop it
			}
		}, 3)
		for range 2 {
			_, err := l.Next()
			require.NoError(t, err)
		}
		for range 2 {
			_, err := l.Next()
			require.ErrorIs(t, err, errBroken)
			assert.ErrorContains(t, err, "fake:1")
		}
	})
}

func TestLoaderRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := NewLoader(context.Background(), fakeSplit(3, -1), Sequence(0, 3), 0).Next()
		assert.ErrorContains(t, err, "a batch of 0 pictures")
		_, err = NewLoader(context.Background(), fakeSplit(3, -1), slices.Values([]int{3}), 1).Next()
		assert.ErrorContains(t, err, "no picture 3")
		_, err = NewLoader(context.Background(), fakeSplit(3, -1), Sequence(0, 0), 1).Next()
		assert.Equal(t, io.EOF, err)
	})
}

func TestPixelsRefusesWrongRoom(t *testing.T) {
	assert.ErrorContains(t, fakeSplit(3, -1).Pixels(0, make([]uint8, 11)), "room for 11 bytes")
}

func (p *fakePictures) without([]bool) pictures { return p }

// panicking is a decoder with a fault.
type panicking struct{ fakePictures }

func (p *panicking) load(int, []uint8) (string, error) { panic("index out of range") }

// A panic on a loader's goroutine would end the process before anything is kept.
func TestLoaderReturnsAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		split := fakeSplit(5, -1)
		split.album.source = &panicking{}
		l := NewLoader(context.Background(), split, slices.Values(Order(5, 1, 0)), 2)
		_, err := l.Next()
		var p *fault.Panic
		require.ErrorAs(t, err, &p)
		assert.ErrorContains(t, err, "index out of range")
		_, again := l.Next()
		assert.Equal(t, err, again)
	})
}
