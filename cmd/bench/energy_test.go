package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Without checkpoints -energy shows the year of the paper's model; it compares two.
func TestEnergyCommand(t *testing.T) {
	folder := t.TempDir()
	picture, figures := filepath.Join(folder, "energy.png"), filepath.Join(folder, "energy.json")
	var out, complaints bytes.Buffer
	require.Equal(t, 0, command(context.Background(), []string{"-energy", "-png", picture, "-json", figures}, &out, &complaints), complaints.String())
	for _, want := range []string{"device_watts     W ", "requests_per_s: assumed", "modelled: 4,170,000 kWh a year saved", "75,000,000 kWh is not reached at the base inputs",
		"kWh = (teacher_seconds − student_seconds) × models"} {
		assert.Contains(t, out.String(), want)
	}
	assert.FileExists(t, picture)
	text, err := os.ReadFile(figures)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"measured": null`)

	assert.Equal(t, 2, command(context.Background(), []string{"-energy", "-m", folder}, &out, &complaints))
	assert.Contains(t, complaints.String(), "energy compares two checkpoints, the larger and the smaller; here are 1")
	complaints.Reset()
	assert.Equal(t, 2, command(context.Background(), []string{"-energy", "-m", folder, "-m", folder}, &out, &complaints))
	assert.Contains(t, complaints.String(), "config.json")
}
