package data_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/data"
	"espalier/pipeline/datatest"
	"espalier/pipeline/rows"
)

var forms = []rows.Form{rows.Lines, rows.Table, rows.List, rows.Shards, rows.Parquet}

// asked has five questions on each of so many pictures.
func asked(t *testing.T, from, pictures int) (samples []datatest.Sample) {
	for p := range pictures {
		n := from + p
		s := datatest.Sample{Name: fmt.Sprintf("picture %d.png", n), Picture: datatest.Level(t, uint8(n), uint8(3*n))}
		for q := range 5 {
			s.Asked = append(s.Asked, datatest.Asked{Question: fmt.Sprintf("question %d, \"quoted\"", q), Answers: []string{fmt.Sprintf("answer %d", n%7), fmt.Sprintf("größer %d", n)},
				Task: fmt.Sprintf("task %d", q), Category: fmt.Sprintf("category %d", n%3)})
		}
		samples = append(samples, s)
	}
	return samples
}

// The same 200 questions are the same data set in every form, beyond the budget of memory too.
func TestFormsAreTheSameData(t *testing.T) {
	samples := asked(t, 0, 40)
	samples[3].Asked[4].Answers = nil // one that is left open
	var want *data.Dataset
	var checked data.Checked
	for _, form := range forms {
		root := t.TempDir()
		datatest.Write(t, root, "train", form, samples)
		datatest.Write(t, root, "validation", form, asked(t, 100, 4))
		datatest.Write(t, root, "test", form, asked(t, 200, 5))
		found := data.Check(root)
		require.Len(t, found.Splits, 3, form)
		if want == nil {
			checked = found
		}
		for i, s := range found.Splits {
			assert.Len(t, s.Fingerprint, 12)
			assert.Equal(t, checked.Splits[i].Fingerprint, s.Fingerprint, "%s: %s", form, s.Name)
		}
		for _, budget := range []int64{0, 1} {
			set, err := data.Open(data.Config{Root: root, Size: 8, MemoryBudget: budget})
			require.NoError(t, err, form)
			if want == nil {
				want = set
				assert.Equal(t, 200, set.Train.QuestionCount())
				assert.Equal(t, 40, set.Train.Len())
			}
			assert.Equal(t, want.Hash(), set.Hash(), form)
			got, plain := make([]uint8, 3*64), make([]uint8, 3*64)
			for _, i := range []int{39, 0, 17, 18, 3} { // in no order
				require.NoError(t, set.Train.Pixels(i, got), form)
				require.NoError(t, want.Train.Pixels(i, plain))
				assert.Equal(t, plain, got, "%s: picture %d", form, i)
				assert.Equal(t, want.Train.Questions(i), set.Train.Questions(i))
			}
		}
	}
}

// One picture is one, under however many names its bytes stand.
func TestTheSamePictureUnderTwoNames(t *testing.T) {
	root := t.TempDir()
	samples := asked(t, 0, 3)
	samples[2].Picture = samples[0].Picture
	datatest.Write(t, root, "train", rows.Lines, samples)
	datatest.Write(t, root, "validation", rows.Lines, samples[1:2])
	datatest.Write(t, root, "test", rows.Lines, asked(t, 9, 1))
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	assert.Equal(t, 2, set.Train.Len())
	assert.Len(t, set.Train.Questions(0), 10)
	require.Len(t, set.Overlaps(), 1)
	assert.Contains(t, set.Overlaps()[0].String(), "1 picture of validation is also in train")
}

// One file is divided by its pictures, in each form in the same way; another seed divides it otherwise.
func TestOneFileIsDivided(t *testing.T) {
	samples := asked(t, 0, 40)
	samples[3].Asked[4].Answers = nil
	hashes := map[int]string{}
	for _, form := range forms {
		root := t.TempDir()
		datatest.Write(t, root, "everything", form, samples)
		for _, seed := range []int{1, 2} {
			at := root
			if form == rows.Table {
				at = filepath.Join(root, "everything.csv")
			}
			if form == rows.Lines {
				at = filepath.Join(root, "everything")
			}
			set, err := data.Open(data.Config{Root: at, Size: 8, Shares: [3]int{70, 10, 20}, SplitSeed: seed})
			require.NoError(t, err, form)
			assert.Equal(t, []int{28, 4, 8}, []int{set.Train.Len(), set.Validation.Len(), set.Test.Len()})
			assert.Equal(t, []int{140, 20, 40}, []int{set.Train.QuestionCount(), set.Validation.QuestionCount(), set.Test.QuestionCount()})
			assert.Equal(t, 1, set.Train.Count(func(q data.Question) bool { return len(q.Answers) == 0 }), "what is left open is trained on")
			assert.Empty(t, set.Overlaps())
			assert.False(t, set.HeldOut)
			if hashes[seed] == "" {
				hashes[seed] = set.Hash()
			}
			assert.Equal(t, hashes[seed], set.Hash(), "%s, seed %d", form, seed)
		}
	}
	assert.NotEqual(t, hashes[1], hashes[2])
}

func TestWhatCannotBeDivided(t *testing.T) {
	shares := [3]int{80, 10, 10}
	root := t.TempDir()
	datatest.Write(t, root, "train", rows.List, asked(t, 0, 10))
	_, err := data.Open(data.Config{Root: root, Size: 8})
	assert.ErrorContains(t, err, "the split test is missing")
	set, err := data.Open(data.Config{Root: root, Size: 8, Shares: shares})
	require.NoError(t, err)
	assert.Equal(t, 8, set.Train.Len())

	datatest.Write(t, root, "test", rows.Shards, asked(t, 10, 2))
	_, err = data.Open(data.Config{Root: root, Size: 8, Shares: shares})
	assert.ErrorContains(t, err, "data.split divides what is not split, but there are train and test")
	datatest.Write(t, root, "test", rows.Parquet, asked(t, 10, 2))
	_, err = data.Open(data.Config{Root: root, Size: 8})
	assert.ErrorContains(t, err, "the split test is there more than once")

	root = t.TempDir()
	datatest.Write(t, root, "all", rows.Parquet, asked(t, 0, 2))
	_, err = data.Open(data.Config{Root: root, Size: 8})
	assert.ErrorContains(t, err, `this is all that there is, and no split; set data.split = "80/10/10"`)
	_, err = data.Open(data.Config{Root: root, Size: 8, Shares: shares})
	assert.ErrorContains(t, err, "2 pictures are too few to be divided")
	datatest.Write(t, root, "more", rows.Table, asked(t, 0, 2))
	_, err = data.Open(data.Config{Root: root, Size: 8, Shares: shares})
	assert.ErrorContains(t, err, "what is not split is there more than once")
	_, err = data.Open(data.Config{Root: filepath.Join(root, "picture 0.png"), Size: 8, Shares: shares})
	assert.ErrorContains(t, err, "this file's form is not known by its name")
}

// Without a validation split, the same pictures are set aside in every form.
func TestFormsWithoutValidation(t *testing.T) {
	var hashes []string
	for _, form := range forms {
		root := t.TempDir()
		datatest.Write(t, root, "train", form, asked(t, 0, 40))
		datatest.Write(t, root, "test", form, asked(t, 200, 5))
		set, err := data.Open(data.Config{Root: root, Size: 8})
		require.NoError(t, err)
		assert.True(t, set.HeldOut)
		assert.Equal(t, 2, set.Validation.Len())
		hashes = append(hashes, set.Hash())
	}
	assert.Len(t, slices.Compact(hashes), 1)
}
