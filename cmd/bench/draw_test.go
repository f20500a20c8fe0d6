package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/bench"
)

func TestReportIsDrawn(t *testing.T) {
	r := &bench.Report{
		Rows: []bench.Row{
			{Name: "greedy answer at batch 1, teacher", Here: bench.Quartiles{Low: .004, Median: .0048, High: .005}, There: &bench.Quartiles{Median: .0064},
				Ratio: &bench.Quartiles{Low: .73, Median: .75, High: .76}, Target: .8, Reached: true},
			{Name: "training step", Here: bench.Quartiles{Median: .2649}, There: &bench.Quartiles{Median: .25}, Ratio: &bench.Quartiles{Low: 1, Median: 1.06, High: 1.1}, Target: 1.05},
		},
		Checks:  []bench.Check{{Name: "the logits", Difference: 2e-6, Allowed: 1e-4}},
		Machine: bench.Machine{CPU: "Some CPU", Cores: 2, Threads: 1, LibTorch: "2.11.0", Python: "3.11, torch 2.11.0", SameLibrary: true},
	}
	var out bytes.Buffer
	require.NoError(t, drawReport(&out, r))
	text := out.String()
	for _, want := range []string{"4.80 ms  6.40 ms         0.75  [0.73 – 0.76]     0.80      ok", "265 ms   250 ms         1.06  [1.00 – 1.10]     1.05  missed",
		"the same byte for byte", "the logits differ by 2e-06, 0.0001 is allowed"} {
		assert.Contains(t, text, want)
	}
	for l := range strings.Lines(text) {
		assert.LessOrEqual(t, utf8.RuneCountInString(l), 101, l)
	}
	assert.True(t, r.Missed())
}

func TestReportWithoutPython(t *testing.T) {
	r := &bench.Report{Rows: []bench.Row{{Name: "tiny", Here: bench.Quartiles{Median: 6.1e-7}, Target: .8}}}
	var out bytes.Buffer
	require.NoError(t, drawReport(&out, r))
	assert.Contains(t, out.String(), "610 ns")
	assert.NotContains(t, out.String(), "missed")
	assert.False(t, r.Missed())
}

func TestCheckpointsAreDrawn(t *testing.T) {
	list := []bench.Checkpoint{{Folder: "teacher", Parameters: 3044640, Bytes: 12178560}, {Folder: "student", Parameters: 164412, Bytes: 657648}}
	list[0].LatencyMS.P50, list[1].LatencyMS.P50 = 5, 1
	list[0].Throughput.AnswersPerS, list[1].Throughput.AnswersPerS = 1000, 12500
	var out bytes.Buffer
	require.NoError(t, drawCheckpoints(&out, list))
	assert.Contains(t, out.String(), "3,044,640")
	assert.Regexp(t, `student +164,412 +0\.7 +1\.00 +0\.00 +12500 +18\.5× +5\.0× +12\.5×`, out.String())
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{6.116e-7: "612 ns", 9.996e-7: "1.00 µs", 4.8e-3: "4.80 ms", .0481: "48.1 ms", .9999: "1.00 s", 12: "12.00 s"} {
		assert.Equal(t, want, duration(seconds))
	}
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-threads", "0"}, {"teacher"}, {"-nothing"}, {"-m", t.TempDir()}, {"-importance", t.TempDir()},
		{"-importance", "nothing.toml"}, {"-only", "no such measure"}, {"-importance", t.TempDir(), "-subsets", "qformer.queries"}, {"-importance", t.TempDir(), "-units", "0"}} {
		var out, fault bytes.Buffer
		assert.Equal(t, 2, command(t.Context(), args, &out, &fault), args)
		assert.NotEmpty(t, fault.String())
	}
}
