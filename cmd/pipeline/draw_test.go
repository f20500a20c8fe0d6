package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/report"
)

var update = flag.Bool("update", false, "write the tables of testdata anew; look at them before committing")

func plain(s string) string { return s }

func sample(t *testing.T) *report.Report {
	t.Helper()
	r, err := report.Read("testdata/report.json")
	require.NoError(t, err)
	require.NoError(t, r.Check())
	return r
}

// The tables as they look on a narrow, a usual and a wide terminal.
func TestReportLooks(t *testing.T) {
	for _, width := range []int{80, 100, 120} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, drawReport(&out, sample(t), width, plain))
			golden := fmt.Sprintf("testdata/tables-%d.txt", width)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), out.String())
		})
	}
}

// Whatever the width, no line is wider, and no column is lost or told twice.
func TestSplitFitsAndKeepsEveryColumn(t *testing.T) {
	for width := 40; width <= 200; width += 5 {
		for _, table := range sample(t).Tables() {
			// The widest pair of first and other column is the least that can be drawn.
			least := 0
			for i := 1; i < len(table.Columns); i++ {
				least = max(least, columnWidth(table, 0)+columnWidth(table, i))
			}
			var heads []string
			parts := split(table, width)
			for i, part := range parts {
				assert.Equal(t, table.Columns[0], part.Columns[0])
				for _, c := range part.Columns[1:] {
					heads = append(heads, c.Head)
				}
				text, err := render(part, i == len(parts)-1)
				require.NoError(t, err)
				for line := range strings.Lines(text) {
					assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), max(width, least), "%q at %d:\n%s", table.Title, width, line)
				}
			}
			var want []string
			for _, c := range table.Columns[1:] {
				want = append(want, c.Head)
			}
			assert.Equal(t, want, heads, "%q at %d", table.Title, width)
		}
	}
}

func TestSplitKeepsGroupsTogether(t *testing.T) {
	table := sample(t).Tables()[0]
	parts := split(table, 80)
	require.Len(t, parts, 2)
	assert.Equal(t, "parameters", parts[0].Columns[1].Head)
	assert.Equal(t, "just cut", parts[1].Columns[1].Head, "accuracy starts a part of its own, though some of it would have fitted")
	assert.Len(t, split(table, 200), 1)
}
