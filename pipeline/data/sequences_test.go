package data

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// number reads digits from the lowest on.
func number(words []string) (n int) {
	for _, w := range slices.Backward(words) {
		d, _ := strconv.Atoi(w)
		n = 10*n + d
	}
	return n
}

func TestSequences(t *testing.T) {
	cfg := Config{Source: "sequences", Train: 3000, Validation: 200, Test: 300, OOD: 200, Sequences: Sequences{Shortest: 3, Longest: 5, OODLongest: 7}}
	d, err := Open(cfg)
	require.NoError(t, err)
	assert.False(t, d.HasPictures())
	assert.Equal(t, "questions", d.Unit())
	assert.ElementsMatch(t, SequenceTasks, d.Tasks)
	seen := map[string]string{} // the split of each question
	for _, s := range d.Splits() {
		lengths := map[int]int{}
		for i := range s.Len() {
			require.Len(t, s.Questions(i), 1)
			q := s.Questions(i)[0]
			words, answer := strings.Fields(q.Text), strings.Fields(q.Answers[0])
			require.Equal(t, q.Task, words[0])
			words = words[1:]
			n := len(words)
			if q.Task == "reverse" {
				slices.Reverse(answer)
				assert.Equal(t, words, answer)
			} else {
				n /= 2
				require.Equal(t, "+", words[n])
				require.Len(t, answer, n+1)
				assert.Equal(t, number(words[:n])+number(words[n+1:]), number(answer), q.Text)
			}
			lengths[n]++
			assert.Equal(t, strconv.Itoa(n)+" digits", q.Category)
			if before, there := seen[q.Text]; there {
				require.Equal(t, s.Name, before, q.Text)
			}
			seen[q.Text] = s.Name
		}
		want := []int{3, 4, 5}
		if s.Name == "ood" {
			want = []int{6, 7}
		}
		require.Len(t, lengths, len(want), s.Name)
		for _, n := range want {
			assert.Greater(t, lengths[n], s.Len()/len(want)*3/4, "%s: %d digits", s.Name, n)
		}
	}
	assert.Empty(t, d.Overlaps())
	assert.Equal(t, "reverse 9 6 0 2", d.Train.Questions(0)[0].Text, "the same ever after")
	assert.Equal(t, "sequences/train row 0", d.Train.Place(0, 0))
	assert.Equal(t, d.Hash(), hashOf(t, cfg))

	one := cfg
	one.Sequences = Sequences{Tasks: []string{"add"}, Shortest: 1, Longest: 2, OODLongest: 3}
	d, err = Open(one)
	require.NoError(t, err)
	assert.Equal(t, []string{"add"}, d.Tasks)
	assert.NotEqual(t, hashOf(t, cfg), d.Hash())
	b, err := ReadBatch(d.Test, []int{0, 7})
	require.NoError(t, err)
	assert.Empty(t, b.Pixels)
	assert.Len(t, b.Questions, 2)
}

func TestSequencesThatCannotBe(t *testing.T) {
	for want, s := range map[string]Sequences{
		`there is no task "sort"`:    {Tasks: []string{"sort"}},
		"strings of 7 to 6 digits":   {Shortest: 7},
		"and of up to 6 out of dist": {OODLongest: 6},
		"at least 2 for longest":     {Shortest: 1, Longest: 1},
	} {
		_, err := Open(Config{Source: "sequences", Sequences: s})
		assert.ErrorContains(t, err, want)
	}
}

// Rows of a user's own without pictures: each is by itself, whatever the size of pictures is said to be.
func TestFolderWithoutPictures(t *testing.T) {
	row := func(question, answer string) string {
		return `{"question": "` + question + `", "answer": "` + answer + `"}` + "\n"
	}
	files := map[string]string{
		"train/metadata.jsonl": row("a", "1") + row("b", "2") + row("b", "2") + row("c", "3"),
		"test/metadata.jsonl":  row("b", "2") + row("d", "4"),
	}
	d, err := Open(Config{Root: folder(t, files), Size: 48})
	require.NoError(t, err)
	assert.False(t, d.HasPictures())
	assert.Equal(t, []int{3, 1, 2}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
	assert.True(t, d.HeldOut)
	assert.Equal(t, "test/metadata.jsonl:2", tail(d.Test.Place(1, 0)))
	overlaps := d.Overlaps()
	require.NotEmpty(t, overlaps)
	assert.Contains(t, overlaps[len(overlaps)-1].String(), "1 question of test is also in ")

	// Where other rows have pictures, one without is at fault, or left out.
	files["train/metadata.jsonl"] += line("1.png", "which", "one") + line("1.png", "odd", "yes")
	files["train/1.png"] = "#10"
	files["test/metadata.jsonl"] += line("../train/1.png", "which", "one")
	root := folder(t, files)
	_, err = Open(Config{Root: root, Size: 2})
	assert.ErrorContains(t, err, `train/metadata.jsonl:1: no "file_name", which other rows have`)
	files["validation/metadata.jsonl"] = line("../train/1.png", "which", "one")
	d, err = Open(Config{Root: folder(t, files), Size: 2, Skip: true})
	require.NoError(t, err)
	assert.True(t, d.HasPictures())
	assert.Equal(t, []int{1, 1}, []int{d.Train.Len(), d.Test.Len()})
	assert.Len(t, d.Skipped, 6)
}
