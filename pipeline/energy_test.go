package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/energy"
	"espalier/pipeline/report"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// metronome is a clock that goes on by three seconds each time that it is looked at, and a counter of 30 J with it.
type metronome struct{ looks int }

func (m *metronome) Now() time.Time { m.looks++; return time.Unix(int64(3*m.looks), 0) }

func (m *metronome) Sleep(context.Context, time.Duration) error { return nil }

func (m *metronome) Name() string { return "made up" }

func (m *metronome) Joules() (float64, error) { return float64(30 * m.looks), nil }

// madeUp is a machine of that time, with these counters.
func madeUp(time *metronome, counters ...energy.Source) *energy.Machine {
	return &energy.Machine{Counters: counters, CPUTime: func() (float64, error) { return float64(time.looks), nil }, Clock: time, Device: torch.CPU}
}

// A run with [energy] measures its teacher and its student, keeps what it took, and writes report, picture and year; without the table
// nothing of it is there, and the student is the same.
func TestEnergyOfARun(t *testing.T) {
	torchtest.Setup(t)
	store := t.TempDir()
	looks := &metronome{}
	run := func(out string, counters []energy.Source, more string) *report.Report {
		cfg, err := config.Parse("tiny.toml", runtest.Tiny+more, "output="+out, "store="+store)
		require.NoError(t, err)
		r, err := Run(context.Background(), cfg, Options{machine: madeUp(looks, counters...)})
		require.NoError(t, err)
		return r
	}
	plain, measured, estimated := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "measured"), filepath.Join(t.TempDir(), "estimated")
	assert.Nil(t, run(plain, nil, "").Energy)
	assert.NoFileExists(t, filepath.Join(plain, "energy.png"))

	r := run(measured, []energy.Source{looks}, "[energy]\nbatch = 4\ntrials = 3\nrequests_per_s = { base = 7, low = 5, high = 9, source = \"our log\" }\n")
	assert.Equal(t, student(t, plain), student(t, measured))
	j := r.Energy.Measured
	require.NotNil(t, j)
	assert.Nil(t, r.Energy.Modelled.Joules)
	assert.Equal(t, []any{3, 5., 4, 1}, []any{j.Trials, j.Window, j.Batch, j.Threads})
	assert.InDelta(t, 10, j.Idle.Median, 1e-9)
	for _, n := range j.Networks {
		assert.InDelta(t, 30/20., n.Gross.Median, 1e-9, "30 J for 4 pictures with 5 questions")
		assert.InDelta(t, 0, n.Net.Median, 1e-9)
	}
	assert.Equal(t, "our log", r.Energy.Modelled.Year.Inputs[1].Source)
	assert.FileExists(t, filepath.Join(measured, "energy.png"))
	assert.NotContains(t, pageOf(t, plain).Sections, "energy")
	assert.Contains(t, pageOf(t, measured).Text, "What moves the year's saving")
	read, err := report.Read(filepath.Join(measured, "report.json"))
	require.NoError(t, err)
	assert.Equal(t, r.Energy, read.Energy)
	text, err := os.ReadFile(filepath.Join(measured, "report.json"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"measured": {`)

	shared, err := filepath.Glob(filepath.Join(store, "energy-*"))
	require.NoError(t, err)
	assert.Empty(t, shared, "what holds times is kept in the run's folder alone")
	before := looks.looks
	again := run(measured, []energy.Source{looks}, "[energy]\nbatch = 4\ntrials = 3\nrequests_per_s = 70\n")
	assert.Equal(t, before, looks.looks, "another input of the year measures nothing anew")
	assert.Equal(t, j, again.Energy.Measured)
	assert.InDelta(t, 10*r.Energy.Modelled.Year.Saved, again.Energy.Modelled.Year.Saved, 1e-9)

	e := run(estimated, nil, "[energy]\ntrials = 1\n").Energy
	assert.Nil(t, e.Measured)
	assert.Equal(t, report.Estimated, e.Modelled.Joules.Basis)
	text, err = os.ReadFile(filepath.Join(estimated, "report.json"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"measured": null`)
}
