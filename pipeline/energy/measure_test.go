package energy

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/report"
	"espalier/torch"
)

// world is a machine whose time passes only when something works or sleeps, and whose counters go with it: 10 W when idle.
type world struct {
	tree
	now    time.Time
	micros float64
	cpu    float64
}

const idleWatts = 10

func newWorld(t *testing.T) *world {
	return &world{tree: newTree(t, map[string]string{"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram"}), now: time.Unix(0, 0)}
}

func (w *world) Now() time.Time { return w.now }

func (w *world) Sleep(_ context.Context, d time.Duration) error {
	w.pass(d, idleWatts, 0)
	return nil
}

// pass lets time go by at so many watts in all, a quarter of them memory's, and so many busy cores.
func (w *world) pass(d time.Duration, watts, cores float64) {
	w.now = w.now.Add(d)
	w.cpu += cores * d.Seconds()
	w.micros += watts * d.Seconds() * 1e6
	w.set("intel-rapl:0", int(.75*w.micros)%1_000_000_000) // the range: it begins anew in the middle of a measurement
	w.set("intel-rapl:0:0", int(.25*w.micros)%1_000_000_000)
}

// machine opens the world's counters.
func (w *world) machine() Machine {
	m := Open(w.root, torch.CPU)
	m.Clock, m.CPUTime, m.Name = w, func() (float64, error) { return w.cpu, nil }, "made up"
	return m
}

// networks answer 100 questions in a piece of work: the teacher in 2 s at 110 W, the student in 1 s at 60 W, both on 2 cores.
func (w *world) networks(asked *string) []Network {
	answer := func(name string, d time.Duration, watts float64) Network {
		return Network{name, func(context.Context) (int, error) {
			*asked += name[:1]
			w.pass(d, watts, 2)
			return 100, nil
		}}
	}
	return []Network{answer("teacher", 2*time.Second, 110), answer("student", time.Second, 60)}
}

var fiveTrials = Plan{Trials: 5, Window: 5 * time.Second, Batch: 20, Threads: 2}

// Counters that go round, gross and net of idle, in turns, end to end from a tree of files to the report.
func TestMeasuredByCounters(t *testing.T) {
	w, asked := newWorld(t), ""
	taken, err := Measure(t.Context(), w.machine(), fiveTrials, w.networks(&asked))
	require.NoError(t, err)
	assert.Greater(t, w.micros*.75, 2e9, "the counter went round")
	assert.Equal(t, "ts"+"tttsssss"+"sssssttt"+"tttsssss"+"sssssttt"+"tttsssss", asked, "warm-up, then turns; who begins changes")
	e := Of(taken, config.DefaultEnergy(), 1)
	require.NotNil(t, e.Measured)
	assert.Nil(t, e.Modelled.Joules)
	j := e.Measured
	assert.Equal(t, report.Measured, j.Basis)
	assert.Equal(t, []string{"package-0", "dram package-0"}, j.Sources)
	assert.Equal(t, []any{5, 5., 20, 2, "made up"}, []any{j.Trials, j.Window, j.Batch, j.Threads, j.Device})
	for i, want := range []struct{ gross, net, rate float64 }{{2.2, 2, 50}, {.6, .5, 100}} {
		n := j.Networks[i]
		for _, got := range []float64{n.Gross.Median, n.Gross.Low, n.Gross.High} {
			assert.InDelta(t, want.gross, got, 1e-6, n.Name)
		}
		assert.InDelta(t, want.net, n.Net.Median, 1e-6, n.Name)
		assert.InDelta(t, want.rate, n.AnswersPerS, 1e-9, n.Name)
	}
	assert.InDelta(t, idleWatts, j.Idle.Median, 1e-6)
	y := e.Modelled.Year
	assert.Equal(t, report.Measured, y.Basis)
	assert.InEpsilon(t, 1000*1.6*1.5*1.3*secondsAYear/joulesAKWh, y.Saved, 1e-6, "with the built-in inputs")
	for _, in := range y.Inputs {
		assert.NotEqual(t, "core_watts", in.Name, "nothing is estimated")
	}
}

// Without counters CPU time and a stated power stand for them, and everything says so.
func TestEstimatedWithoutCounters(t *testing.T) {
	w, asked := newWorld(t), ""
	c := config.DefaultEnergy()
	c.CoreWatts = &config.Estimate{Base: 5, Low: 4, High: 8, Source: "a data sheet"}
	for what, m := range map[string]Machine{
		"none": func() Machine {
			m := Open(t.TempDir(), torch.CPU)
			m.Clock, m.CPUTime = w, func() (float64, error) { return w.cpu, nil }
			return m
		}(),
		"still": func() Machine { // as some virtual machines have
			m := w.machine()
			m.Counters = []Source{still{}}
			return m
		}(),
	} {
		taken, err := Measure(t.Context(), m, fiveTrials, w.networks(&asked))
		require.NoError(t, err)
		e := Of(taken, c, 1)
		assert.Nil(t, e.Measured, what)
		j := e.Modelled.Joules
		require.NotNil(t, j, what)
		assert.Equal(t, report.Estimated, j.Basis)
		assert.Equal(t, []string{"CPU time of this process × 5 W a busy core (4 to 8)"}, j.Sources)
		assert.InDelta(t, 2*2*5/100., j.Networks[0].Gross.Median, 1e-9)
		assert.InDelta(t, 2*1*5/100., j.Networks[1].Net.Median, 1e-9)
		assert.Contains(t, e.Notes[len(e.Notes)-1], "ESTIMATED", what)
		y := e.Modelled.Year
		assert.Equal(t, report.Estimated, y.Basis)
		assert.InEpsilon(t, 1000*.1*1.5*1.3*secondsAYear/joulesAKWh, y.Saved, 1e-9)
		found := map[string]report.Input{}
		for _, in := range y.Inputs {
			found[in.Name] = in
		}
		assert.Equal(t, "a data sheet", found["core_watts"].Source)
		assert.InDelta(t, y.Saved*8/5, found["core_watts"].SavedHigh, 1e-6*y.Saved)
	}
}

type still struct{}

func (still) Name() string             { return "package-0" }
func (still) Joules() (float64, error) { return 7, nil }

// What a GPU uses is not told by CPU time: without its counter there are no joules, unless the user gives them.
func TestNoJoulesWithoutTheGPUsCounter(t *testing.T) {
	m := Machine{Device: torch.CUDA(0), Notes: []string{"energy: the GPU's counter cannot be read"}}
	taken, err := Measure(t.Context(), m, fiveTrials, nil)
	require.NoError(t, err)
	c := config.DefaultEnergy()
	e := Of(taken, c, 1)
	assert.Equal(t, &report.Energy{Notes: m.Notes}, e)
	c.TeacherJoules, c.StudentJoules = &config.Estimate{Base: 280, Low: 70, High: 560, Source: "ours"}, &config.Estimate{Base: 36, Low: 9, High: 72, Source: "ours"}
	y := Of(taken, c, 1).Modelled.Year
	require.NotNil(t, y)
	assert.InEpsilon(t, 1000*244*1.5*1.3*secondsAYear/joulesAKWh, y.Saved, 1e-9)
}

// What stops an answer or a counter stops the measurement.
func TestFaultsOfAMeasurement(t *testing.T) {
	w, asked := newWorld(t), ""
	broken := Network{"broken", func(context.Context) (int, error) { return 0, errors.New("no memory") }}
	_, err := Measure(t.Context(), w.machine(), fiveTrials, []Network{broken})
	assert.ErrorContains(t, err, "no memory")
	m := w.machine()
	w.write("intel-rapl:0", "energy_uj", "nonsense")
	_, err = m.Counters[0].Joules()
	assert.ErrorContains(t, err, "package-0")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("Ctrl-C"))
	m.Counters = nil
	_, err = Measure(ctx, m, fiveTrials, w.networks(&asked))
	assert.ErrorContains(t, err, "Ctrl-C")
}
