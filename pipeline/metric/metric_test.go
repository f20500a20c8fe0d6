package metric

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the reference implementations say to 1,000 rows: testdata/make_golden.py.
func TestGolden(t *testing.T) {
	file, err := os.Open("testdata/golden.jsonl.gz")
	require.NoError(t, err)
	defer file.Close()
	text, err := gzip.NewReader(file)
	require.NoError(t, err)
	var all []Answer
	want := map[string][]*float64{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		var row struct {
			Said, Words              string
			Accepted                 []string
			ANLS, CIDEr, VQA, RougeL *float64
		}
		var raw map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		require.NoError(t, json.Unmarshal(lines.Bytes(), &raw))
		require.NoError(t, json.Unmarshal(raw["rouge-l"], &row.RougeL))
		all = append(all, Answer{row.Said, row.Accepted})
		for name, value := range map[string]*float64{"anls": row.ANLS, "rouge-l": row.RougeL, "cider": row.CIDEr, "vqa": row.VQA} {
			want[name] = append(want[name], value)
		}
		assert.Equal(t, row.Words, strings.Join(captionWords(row.Said), " "), row.Said)
	}
	require.NoError(t, lines.Err())
	require.Len(t, all, 1000)
	for name := range byName {
		got, err := Scores(name, all)
		require.NoError(t, err)
		compared, middle := 0, 0
		for i, w := range want[name] {
			if w == nil {
				continue
			}
			compared++
			if *w > 0 && *w < 1 {
				middle++
			}
			assert.InDelta(t, *w, got[i], 1e-9, "%s: %q to %q", name, all[i].Said, all[i].Accepted)
		}
		assert.GreaterOrEqual(t, compared, 500, name)
		assert.Greater(t, middle, 20, "%s: scores that are neither 0 nor 1", name)
	}
	_, err = Scores("bleu", nil)
	assert.ErrorContains(t, err, `there is no metric "bleu"; there are anls, cider, rouge-l, vqa`)
}

func TestVQAByHand(t *testing.T) {
	ten := func(same int) Answer {
		a := Answer{Said: "Two."}
		for i := range 10 {
			text := "other"
			if i < same {
				text = "2"
			}
			a.Accepted = append(a.Accepted, text)
		}
		return a
	}
	for same, want := range map[int]float64{0: 0, 1: .3, 2: .6, 3: .9, 4: 1, 10: 1} { // the published values of the formula
		assert.InDelta(t, want, vqa(ten(same)), 1e-12, same)
	}
	for text, want := range map[string]string{"The dog's 1,000.5 cats, at 2:50!": "dog's 1000.5 cats at 2:50", "dont KNOW": "don't know", "a, an & the": "", "left/right": "left right"} {
		assert.Equal(t, want, vqaForm(text))
	}
}
