package experiment

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/report"
)

func TestColumnsOfTokens(t *testing.T) {
	r := &report.Report{}
	r.Student.Positions = report.PositionsOf([]string{"111", "011", "001", "111"})
	for name, want := range map[string]float64{"token 1": 50, "token 3": 100, "after error": 25, "without error": 0} {
		c, err := columnOf(name)
		require.NoError(t, err)
		got, ok := c.Of(r)
		assert.True(t, ok, name)
		assert.InDelta(t, want, got, 1e-12, name)
	}
	for _, name := range []string{"token 4", "token x", "ood after error"} {
		c, err := columnOf(name)
		require.NoError(t, err)
		_, ok := c.Of(r)
		assert.False(t, ok, name)
	}
}
