package config

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/fault"
)

// No whole number wraps around: what is beyond a key's range is refused with the number that was written.
func TestWholeNumbersAreBounded(t *testing.T) {
	for _, k := range Keys() {
		path := strings.Replace(k.Path(), "stage.", "stage.hidden.", 1)
		text := small
		if strings.HasPrefix(k.Path(), "stage.keep.") && strings.Count(k.Path(), ".") == 3 {
			text = strings.Replace(small, "keep = { vision = \"50%\", language = 32 }", "keep = { vision = \"50%\" }", 1)
			text, path = strings.Replace(text, `"hidden"`, `"inner"`, 1), strings.Replace(path, "hidden", "inner", 1)
			if strings.Contains(path, "vision") {
				text = strings.Replace(text, `vision = "50%" }`, `qformer = "50%" }`, 1)
			} // a share stands where a table would
		}
		if k.Type != "whole number" && k.Type != "count or share" {
			continue
		}
		for _, n := range []int64{math.MaxInt64, math.MinInt64, 1<<53 + 1} {
			set := []string{fmt.Sprintf("%s=%d", path, n)}
			if path == "target.divisions" {
				set = append(set, "target.ratio=2")
			}
			_, err := Parse("run.toml", text, set...)
			var input *fault.InputError
			require.ErrorAs(t, err, &input, "%s = %d", path, n)
			assert.NotContains(t, err.Error(), "\n", path)
			assert.Contains(t, err.Error(), "not in [", path)
		}
	}
	_, err := Parse("run.toml", small, "threads=4294967297")
	assert.EqualError(t, err, "-set threads=4294967297: threads: 4294967297 is not in [1, 1024]")
	_, err = Parse("run.toml", small, "seed=9007199254740993")
	assert.EqualError(t, err, "-set seed=9007199254740993: seed: 9007199254740993 is not in [0, 9007199254740991]")
	assert.Equal(t, 9007199254740991, parseSmall(t, "seed=9007199254740991").Seed)
}

func TestSizesAndTimes(t *testing.T) {
	c := parseSmall(t, "store_limit=1.5 GB", "keep_every=90s")
	assert.Equal(t, Bytes(1_500_000_000), c.StoreLimit)
	r := c.Resolved()
	assert.Equal(t, "1500 MB", r["store_limit"])
	assert.Equal(t, "1m30s", r["keep_every"])
	assert.Equal(t, "2m", parseSmall(t).Resolved()["keep_every"])
	assert.Equal(t, "20 GB", parseSmall(t).Resolved()["store_limit"])
	assert.Equal(t, "8 GiB", parseSmall(t, "store_limit=8GiB").Resolved()["store_limit"])
	for set, want := range map[string]string{
		"store_limit=20":     `store_limit: "20" is no size: write a number with its unit, as "20 GB"`,
		"store_limit=20 GX":  `store_limit: "20 GX" is no size: write a number with its unit, as "20 GB"`,
		"store_limit=-1 GB":  `store_limit: -1 GB is not in [1 MB, 1000 TB]`,
		"store_limit=1e9 TB": `store_limit: 1e+21 B is not in [1 MB, 1000 TB]`,
		"store_limit=NaN GB": `store_limit: "NaN GB" is no size: write a number with its unit, as "20 GB"`,
		"keep_every=120":     `keep_every: "120" is no time: write a number with its unit, as "2m" or "90s"`,
		"keep_every=0s":      `keep_every: 0s is not in [1s, 24h]`,
		"keep_every=false":   `keep_every: "false" is no time: write a number with its unit, as "2m" or "90s"`,
		"store=":             `store: it is empty: give "user", or a folder`,
	} {
		_, err := Parse("run.toml", small, set)
		assert.EqualError(t, err, "-set "+set+": "+want)
	}
	assert.Equal(t, []string{`run.toml:1: keep_every: must be a time as "2m" or "90s", not the number 2`}, faultsOf(t, "keep_every = 2\n"+small))
}

// A text that is made to be large is refused before the decoder takes a thousand times its memory.
func TestHostileTexts(t *testing.T) {
	const many = 300_000
	for name, text := range map[string]string{
		"lists within lists":   "a = " + strings.Repeat("[", many),
		"tables within tables": "a = " + strings.Repeat("{a=", many),
		"a long path":          strings.Repeat("a.", many) + "a = 1",
		"a long header":        "[" + strings.Repeat("a.", many) + "a]",
		"a long key":           strings.Repeat("a", many) + " = 1",
		"a long quoted key":    `"` + strings.Repeat("a", many) + `" = 1`,
		"many keys":            manyLines(many/2, "a%d=1"),
		"many tables":          strings.Repeat("[[stage]]\n", many/3),
		"many items":           "a = [" + strings.Repeat("1,", many) + "]",
		"a long text":          "output = \"" + strings.Repeat("a", 4*many) + "\"",
		"no TOML":              strings.Repeat("]}", many),
		"open quotes":          strings.Repeat("'\n", many),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			lines := faultsOf(t, text)
			runtime.ReadMemStats(&after)
			assert.Len(t, lines, 1)
			assert.LessOrEqual(t, len(lines[0]), 300)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
			_, err := Parse("run.toml", small, "data="+text, "seed=2") // as a value of -set
			require.Error(t, err)
			assert.LessOrEqual(t, len(err.Error()), 600)
		})
	}
}

func manyLines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i)
	}
	return b.String()
}

// A file longer than a configuration may be is not read to its end.
func TestEndlessFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.toml")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(1<<40)) // a hole: it takes no room
	require.NoError(t, f.Close())
	_, err = Load(path)
	var input *fault.InputError
	require.ErrorAs(t, err, &input)
	assert.ErrorContains(t, err, strconv.Itoa(maxText))
}

// Faults on every line end after a screen.
func TestManyFaultsAreAScreen(t *testing.T) {
	lines := faultsOf(t, manyLines(5000, "k%d = 1")+small)
	require.Len(t, lines, fault.Screen+1)
	assert.Contains(t, lines[0], `run.toml:1: unknown key "k0"`)
	assert.Equal(t, "and 4980 more", lines[fault.Screen])

	lines = faultsOf(t, small+strings.Repeat("[[stage]]\nname = \"blocks\"\n", 60))
	require.Len(t, lines, fault.Screen+1)
	assert.Equal(t, "and 40 more", lines[fault.Screen])
	lines = faultsOf(t, small+strings.Repeat("[[stage]]\nname = \"blocks\"\n", 99))
	assert.Equal(t, []string{"run.toml:5: stage: there are 101 [[stage]], more than 100"}, lines)
}

// A long text of the user's is not repeated whole.
func TestLongTextsAreShortened(t *testing.T) {
	long := strings.Repeat("x", 4000)
	for _, set := range []string{"precision=" + long, "device=" + long, "seed=" + long, long + "=1", "stage." + long + ".cuts=1", "stage.0.keep.vision=" + long} {
		_, err := Parse("run.toml", small, set)
		require.Error(t, err)
		assert.Less(t, len(err.Error()), 500, set[:20])
	}
}
