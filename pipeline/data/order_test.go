package data

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The first value was published with splitmix64 and the others follow from it: resumed runs and caches rely on
// these numbers never changing.
func TestOrderIsFrozen(t *testing.T) {
	r := splitmix{0}
	assert.Equal(t, uint64(0xE220A8397B1DCDAF), r.next())
	assert.Equal(t, uint64(0x6E789E6AA1B965F4), r.next())
	assert.Equal(t, []int{6, 4, 7, 2, 9, 1, 5, 0, 8, 3}, Order(10, 1, 0))
	assert.Equal(t, []int{7, 5, 9, 0, 6, 4, 3, 1, 2, 8}, Order(10, 1, 1))
}

func TestOrderIsAPermutation(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		order := Order(n, 7, 3)
		slices.Sort(order)
		assert.Equal(t, slices.Collect(Sequence(0, n)), slices.Clip(append([]int(nil), order...)))
	}
	assert.NotEqual(t, Order(1000, 7, 3), Order(1000, 7, 4))
	assert.NotEqual(t, Order(1000, 7, 3), Order(1000, 8, 3))
	assert.NotEqual(t, Order(1000, 7, 8), Order(1000, 8, 7))
}

// Every picture should come to every place about equally often.
func TestOrderIsFair(t *testing.T) {
	const n, epochs = 6, 6000
	var count [n][n]int
	for epoch := range epochs {
		for place, i := range Order(n, 1, epoch) {
			count[place][i]++
		}
	}
	for _, row := range count {
		for _, c := range row {
			assert.InDelta(t, epochs/n, c, 150, "five standard deviations")
		}
	}
}

func TestEndlessGoesOnWhereItStopped(t *testing.T) {
	take := func(start, n int) []int {
		var out []int
		for i := range Endless(5, 9, start) {
			if out = append(out, i); len(out) == n {
				break
			}
		}
		return out
	}
	want := slices.Concat(Order(5, 9, 0), Order(5, 9, 1), Order(5, 9, 2), Order(5, 9, 3))
	assert.Equal(t, want, take(0, 20))
	for start := range 17 {
		assert.Equal(t, want[start:start+3], take(start, 3))
	}
	assert.Empty(t, slices.Collect(Endless(0, 9, 0)))
}
