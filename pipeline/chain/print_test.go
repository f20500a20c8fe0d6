package chain_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/chain"
)

func TestWhatCannotBeHashed(t *testing.T) {
	type hidden struct{ x int }
	for _, v := range []any{func() {}, make(chan int), hidden{1}, struct{ F func() }{}, map[int]int{}} {
		assert.Panics(t, func() { chain.Of(v) }, "%T", v)
	}
	assert.NotEqual(t, chain.Of(1.0), chain.Of("1"))
	assert.NotEqual(t, chain.Of([]string{"a", "b"}), chain.Of([]string{"ab"}))
	assert.NotEqual(t, chain.Of(uint64(1<<63)), chain.Of(uint64(1<<63+1)))
}
