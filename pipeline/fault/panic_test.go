package fault

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCaught(t *testing.T) {
	run := func(f func() error) (err error) {
		defer Caught(&err)
		return f()
	}
	var p *Panic
	err := run(func() error { panic("index out of range") })
	require.ErrorAs(t, err, &p)
	assert.EqualError(t, err, "a fault of the program: index out of range")
	assert.Contains(t, string(p.Stack), "TestCaught", "the stack is that of the panic")
	failed := errors.New("failed")
	assert.Equal(t, failed, run(func() error { return failed }), "an error stays one")
	assert.NoError(t, run(func() error { return nil }))
}
