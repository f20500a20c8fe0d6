package experiment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
)

const sample = `
title = "A title"
base = "run.toml"
set = ["data.train=400"]
seeds = [3, 1]
columns = ["accuracy", "ood", "task color", "cut blocks", "worst task"]
conclusions = ["quick: few > many by at least 1.5", "many, long = few, long within 0.25 in ood"]
[[axis]]
name = "steps"
settings = [{ name = "few" }, { name = "many", set = ["stage.blocks.distil.steps=99", "data.train=500"] }]
[quick]
seeds = [7]
set = ["data.train=300"]
settings = ["few"]
`

// two axes make the settings "few, long" …
const second = `
[[axis]]
name = "length"
settings = [{ name = "long" }, { name = "short", stages = ["hidden", "blocks"] }]
`

func written(t *testing.T, text string) string {
	t.Helper()
	folder := t.TempDir()
	base, err := os.ReadFile("../../run.toml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "run.toml"), base, 0o644))
	path := filepath.Join(folder, "sample.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func read(t *testing.T, text string, quick bool) (*File, error) {
	t.Helper()
	return Read(written(t, text), quick)
}

// replaced is a text with other words in it; the sample must have those that go.
func replaced(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			panic("the sample has no " + pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

const oneAxis = `conclusions = ["quick: few > many by at least 1.5"]`
const twoAxes = `conclusions = ["quick: few > many by at least 1.5", "many, long = few, long within 0.25 in ood"]`

func TestIs(t *testing.T) {
	assert.True(t, Is(written(t, sample)))
	assert.False(t, Is("../../run.toml"))
	assert.False(t, Is("nowhere.toml"))
}

// The grid is the product of the axes, seed by seed; later axes come behind earlier ones, and what is given last wins.
func TestCells(t *testing.T) {
	text := replaced(sample, twoAxes, `conclusions = []`, "[quick]", second+"[quick]")
	f, err := read(t, text, false)
	require.NoError(t, err)
	cells, err := f.Cells("out", []string{"threads=1"})
	require.NoError(t, err)
	var names []string
	for _, c := range cells {
		names = append(names, c.Name())
		assert.Equal(t, c.Seed, c.Config.Seed)
		assert.Equal(t, 1, c.Config.Threads)
		assert.Equal(t, filepath.Join("out", c.Name()), c.Config.Output)
	}
	assert.Equal(t, []string{"few,_long-3", "few,_short-3", "many,_long-3", "many,_short-3", "few,_long-1", "few,_short-1", "many,_long-1", "many,_short-1"}, names)
	assert.Equal(t, 400, cells[0].Config.Data.Train)
	assert.Equal(t, 500, cells[2].Config.Data.Train)
	assert.Equal(t, 99, cells[2].Config.Stages[0].Distil.Steps)
	assert.Equal(t, []string{"blocks", "inner", "hidden"}, stageNames(cells[0].Config))
	assert.Equal(t, []string{"hidden", "blocks"}, stageNames(cells[1].Config))
}

// A setting's command makes its cells; figures are compared with the first setting of the last axis.
func TestCommandsAndWhatIsCompared(t *testing.T) {
	text := replaced(sample, twoAxes, `conclusions = []`, "[quick]", second+"[quick]", `{ name = "long" }`, `{ name = "long", command = ["prog", "-x"] }`)
	f, err := read(t, text, false)
	require.NoError(t, err)
	cells, err := f.Cells("out", nil)
	require.NoError(t, err)
	r := &Results{File: f}
	for i, c := range cells {
		if strings.Contains(c.Setting, "long") {
			assert.Equal(t, []string{"prog", "-x"}, c.Command)
		} else {
			assert.Nil(t, c.Command)
		}
		r.Rows = append(r.Rows, Row{Setting: c.Setting, Seed: c.Seed, Figures: map[string]float64{"accuracy": []float64{10, 20, 50, 90}[i%4]}})
	}
	var against []string
	for _, row := range r.Table().Rows {
		against = append(against, row[len(row)-1])
	}
	assert.Equal(t, []string{"–", "+10.0 (+10.0 to +10.0)", "–", "+40.0 (+40.0 to +40.0)"}, against)
}

func stageNames(c *config.Config) (names []string) {
	for _, s := range c.Stages {
		names = append(names, s.Name)
	}
	return names
}

// The reduced form has its own seeds, settings and changes, and the conclusions that are marked for it.
func TestQuick(t *testing.T) {
	text := replaced(sample, twoAxes, `conclusions = ["quick: few = few within 1", "few > many by at least 1"]`)
	f, err := read(t, text, true)
	require.NoError(t, err)
	assert.Equal(t, "sample-quick", f.Name)
	assert.Equal(t, []string{"quick: few = few within 1"}, f.Conclusions)
	cells, err := f.Cells("out", nil)
	require.NoError(t, err)
	require.Len(t, cells, 1)
	assert.Equal(t, 7, cells[0].Seed)
	assert.Equal(t, 300, cells[0].Config.Data.Train)
}

func TestFaultsAreNamed(t *testing.T) {
	one := replaced(sample, twoAxes, oneAxis)
	for _, c := range []struct{ text, want string }{
		{replaced(one, "seeds = [3, 1]", "seeds = []"), "seeds names none"},
		{replaced(one, "seeds = [3, 1]", "seeds = [3, 3]"), "seeds names 3 twice"},
		{replaced(one, `"ood"`, `"odd"`), `column "odd" is unknown; there are accepted, accuracy`},
		{replaced(one, `"cut blocks"`, `"cut"`), `column "cut" is unknown`},
		{replaced(one, "title", "titel"), "unknown key titel"},
		{replaced(one, `name = "many"`, `name = "few"`), `unlike "few"`},
		{replaced(one, "by at least 1.5", "by 1.5"), "is neither"},
		{replaced(one, "few > many", "few > much"), `there is no setting "much"; there are few, many`},
		{replaced(one, "at least 1.5", "at least 1.5 in odd"), `column "odd" is unknown`},
		{replaced(one, `base = "run.toml"`, `base = ""`), "base names no run's file"},
		{"base = 1 2", "sample.toml"},
	} {
		_, err := read(t, c.text, false)
		var input *fault.InputError
		require.ErrorAs(t, err, &input, c.want)
		assert.ErrorContains(t, err, c.want)
	}
	f, err := read(t, replaced(one, `{ name = "few" }`, `{ name = "few", stages = ["inside"] }`), false)
	require.NoError(t, err)
	_, err = f.Cells("out", nil)
	assert.ErrorContains(t, err, `has no stage "inside"; it has blocks, inner, hidden`)
	f, err = read(t, replaced(one, `"data.train=400"`, `"data.trian=400"`), false)
	require.NoError(t, err)
	_, err = f.Cells("out", nil)
	assert.ErrorContains(t, err, "setting few")
	assert.ErrorContains(t, err, "data.trian")
	f, err = read(t, replaced(one, `name = "few" }`, `name = "a b" }, { name = "a/b" }`, "few > many", "a b > many"), false)
	require.NoError(t, err)
	_, err = f.Cells("out", nil)
	assert.ErrorContains(t, err, "would share the folder")
}

// made is a report with these accuracies.
func made(accuracy, ood float64, refused string) *report.Report {
	m := report.Model{Accuracy: report.Accuracy{"overall": accuracy, "color": .5, "style": .9}, OOD: report.Accuracy{"overall": ood}}
	r := &report.Report{Teacher: report.Model{Accuracy: report.Accuracy{"overall": .9, "color": .8, "style": .95}}, Student: m}
	for _, name := range []string{"blocks", "hidden"} {
		r.Stages = append(r.Stages, report.Stage{Name: name, Accepted: name != refused, Pruned: report.Model{Accuracy: report.Accuracy{"overall": .25}}, Distilled: m})
	}
	return r
}

func results(t *testing.T) *Results {
	t.Helper()
	f, err := read(t, replaced(sample, twoAxes, `conclusions = ["few > many by at least 1.5", "few = many within 0.25 in ood", "few > many by at least 5"]`), false)
	require.NoError(t, err)
	cells, err := f.Cells("out", nil)
	require.NoError(t, err)
	r := &Results{File: f}
	for i, c := range cells { // few 3, many 3, few 1, many 1
		r.Add(c, []*report.Report{made(.97, .5, ""), made(.94, .502, "hidden"), made(.95, .5, ""), made(.93, .5, "")}[i], "")
	}
	return r
}

// Means, standard deviations and paired differences with Student's interval: of 3 and 2 points the mean is 2.5, the standard deviation
// .7071, and the half width 12.706 · .7071/√2 = 6.353.
func TestTable(t *testing.T) {
	table := results(t).Table()
	assert.Equal(t, [][]string{
		{"few", "2", "96.0 ± 1.4", "50.0", "50.0", "25.0", "30.0", "–"},
		{"many", "2", "93.5 ± 0.7", "50.1 ± 0.1", "50.0", "25.0", "30.0", "-2.5 (-8.9 to +3.9) n.s."},
	}, table.Rows)
	s := summarise([]float64{3, 2})
	assert.InDelta(t, 6.353, s.HalfWidth(), 1e-3)
}

func TestConclusionsAreChecked(t *testing.T) {
	v := results(t).Verdicts()
	require.Len(t, v, 3)
	assert.Equal(t, []bool{true, true, false}, []bool{v[0].Holds, v[1].Holds, v[2].Holds})
	assert.Equal(t, "HOLDS: few > many by at least 1.5: +2.50; seeds: 2; 95 %: -3.85 to +8.85; smaller than its interval", v[0].Line())
	assert.Contains(t, v[2].Line(), "DOES NOT HOLD: few > many by at least 5")
}

// A conclusion about accuracy that does not hold says in which tasks the difference lies.
func TestDifferencesByTask(t *testing.T) {
	r := results(t)
	for i := range r.Rows {
		if r.Rows[i].Setting == "many" {
			r.Rows[i].Figures["task color"], r.Rows[i].Figures["task style"] = 51, 86
		}
	}
	v := r.Verdicts()
	assert.Nil(t, v[0].Tasks)
	assert.True(t, strings.HasSuffix(v[2].Line(), "; by task: color -1.0, style +4.0"), v[2].Line())
}

// A failed cell is a row that says why; what it shares no seed with cannot be concluded.
func TestFailedCells(t *testing.T) {
	r := results(t)
	for i := range r.Rows {
		if r.Rows[i].Setting == "many" {
			r.Rows[i].Figures, r.Rows[i].Failed = nil, "no room, said it"
		}
	}
	assert.Equal(t, []string{"many", "0", "–", "–", "–", "–", "–", "–"}, r.Table().Rows[1])
	assert.Contains(t, r.Notes(), "many, seed 3: failed: no room, said it")
	assert.False(t, r.Verdicts()[0].Holds)
	csv, err := r.CSV()
	require.NoError(t, err)
	assert.Contains(t, string(csv), "few,3,97,50,50,25,30")
	assert.Contains(t, string(csv), `many,1,,,,,,,"no room, said it"`)
	jsonl, err := r.JSONL()
	require.NoError(t, err)
	assert.Contains(t, string(jsonl), `"failed":"no room, said it"`)
}

func TestRefusedStagesAreTold(t *testing.T) {
	assert.Equal(t, []string{"many, seed 3: stage hidden was not accepted; the figures are those of the student before it"}, results(t).Notes())
}

// The page's text around the markers stays, and a second writing gives the same page.
func TestWriteInto(t *testing.T) {
	r, page := results(t), filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(page, []byte("before\n<!-- begin sample -->\nold\n<!-- end sample -->\nafter\n"), 0o644))
	require.NoError(t, r.WriteInto(page))
	once, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Contains(t, string(once), "before\n<!-- begin sample -->\n| setting | seeds | accuracy, % |")
	assert.Contains(t, string(once), "| few | 2 | 96.0 ± 1.4 |")
	assert.Contains(t, string(once), "- HOLDS: few > many")
	assert.NotContains(t, string(once), "old")
	require.NoError(t, r.WriteInto(page))
	twice, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, string(once), string(twice))
	require.NoError(t, os.WriteFile(page, []byte("no markers"), 0o644))
	assert.ErrorContains(t, r.WriteInto(page), "<!-- begin sample -->")
}

func TestPlotIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plot.png")
	require.NoError(t, results(t).WritePlot(path))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "\x89PNG", string(text[:4]))
}

// What the cells of a seed share is made for several seeds at once.
func TestOrder(t *testing.T) {
	var cells []*Cell
	for seed := range 3 {
		for _, setting := range []string{"a", "b"} {
			cells = append(cells, &Cell{Setting: setting, Seed: seed})
		}
	}
	assert.Equal(t, []int{0, 2, 4, 1, 3, 5}, Order(cells))
	assert.Empty(t, Order(nil))
}

// The project's own experiments are whole, in both forms, and their tables have a place.
func TestTheProjectsExperiments(t *testing.T) {
	paths, err := filepath.Glob("../../experiments/*.toml")
	require.NoError(t, err)
	found := 0
	for _, path := range paths {
		if !Is(path) { // a base
			_, err := config.Load(path)
			assert.NoError(t, err)
			continue
		}
		found++
		f, err := Read(path, false)
		require.NoError(t, err)
		assert.NoError(t, f.HasPlace("../../docs/results.md"))
		for _, quick := range []bool{false, true} {
			f, err := Read(path, quick)
			require.NoError(t, err)
			f.Seeds = f.Seeds[:1] // seeds are all alike
			cells, err := f.Cells("out", nil)
			require.NoError(t, err)
			assert.NotEmpty(t, cells)
			for _, c := range cells { // a cell's file says the same
				text, err := c.TOML()
				require.NoError(t, err)
				again, err := config.Parse("cell.toml", string(text))
				require.NoError(t, err)
				assert.Equal(t, c.Config.Resolved(), again.Resolved(), c.Name())
			}
		}
	}
	assert.GreaterOrEqual(t, found, 8)
}
