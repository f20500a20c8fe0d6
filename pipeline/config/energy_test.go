package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func withEnergy(t *testing.T, text string, set ...string) (*Config, error) {
	t.Helper()
	before, _, found := strings.Cut(Example(), "[energy]")
	require.True(t, found, "it is the last table")
	return Parse("run.toml", before+text, set...)
}

// An input is a number, which is certain, or a table; both are resolved to the same form, and read back from a report.
func TestEstimates(t *testing.T) {
	c, err := withEnergy(t, "")
	require.NoError(t, err)
	assert.Nil(t, c.Energy, "it is off")
	assert.NotContains(t, c.Resolved(), "energy")
	c, err = withEnergy(t, "[energy]\nmodels = 3\npue = { base = 1.2, low = 1.1, high = 1.4, source = \"the bill\" }\n[energy.server]\nbase = 2\n", "energy.hardware=0.5")
	require.NoError(t, err)
	assert.Equal(t, &Estimate{3, 3, 3, "run.toml"}, c.Energy.Models)
	assert.Equal(t, &Estimate{1.2, 1.1, 1.4, "the bill"}, c.Energy.PUE)
	assert.Equal(t, &Estimate{2, 2, 2, "run.toml"}, c.Energy.Server)
	assert.Equal(t, &Estimate{.5, .5, .5, "run.toml"}, c.Energy.Hardware)
	assert.Nil(t, c.Energy.RequestsPerS)
	assert.Equal(t, 75e6, c.Energy.ClaimKWh)
	text, err := json.Marshal(c.Resolved())
	require.NoError(t, err)
	var resolved map[string]any
	require.NoError(t, json.Unmarshal(text, &resolved))
	again, err := FromResolved("report.json", resolved)
	require.NoError(t, err)
	assert.Equal(t, c.Energy, again.Energy)
}

func TestEstimatesAtFault(t *testing.T) {
	for text, want := range map[string]string{
		"models = \"many\"":                 `energy.models: must be a number or { base, low, high, source }, not the text "many"`,
		"models = { low = 1 }":              "energy.models: base is missing",
		"models = { base = 1, hgih = 2 }":   `energy.models: unknown key "hgih" (did you mean "high"?)`,
		"models = { base = 1, source = 2 }": "energy.models: source must be a text, not the number 2",
		"models = { base = \"x\" }":         `energy.models: base must be a number, not the text "x"`,
		"models = { base = 2, low = 3 }":    "energy.models: low = 3, base = 2, high = 2 are not in this order",
		"models = 0":                        "energy.models: 0 is not in [1e-15, 1e+15]",
		"models = { base = 1, high = inf }": "energy.models: +Inf is not a finite number",
		"teacher_joules = 5":                "energy.teacher_joules: teacher_joules and student_joules go together",
		"student_joules = 5":                "go together",
		"window = \"2s\"":                   "energy.window: 2s is not in [5s, 1m]",
		"reqests_per_s = 1":                 `energy: unknown key "reqests_per_s" (did you mean "requests_per_s"?)`,
	} {
		_, err := withEnergy(t, "[energy]\n"+text+"\n")
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "run.toml:", text)
	}
	c, err := withEnergy(t, "[energy]\n")
	require.NoError(t, err)
	c.Energy.PUE = &Estimate{Base: -1}
	assert.ErrorContains(t, c.Check(), "energy.pue: -1 is not in", "by a program")
}
