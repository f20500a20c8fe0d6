package metric

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// rougeL is the F-measure of ROUGE-L (Lin, 2004) as the package rouge-score computes it, without a stemmer: over the longest common
// subsequence of words; of several accepted answers the best.
func rougeL(a Answer) (best float64) {
	said := rougeWords(a.Said)
	for _, text := range a.Accepted {
		accepted := rougeWords(text)
		common := float64(commonWords(said, accepted))
		if common == 0 {
			continue
		}
		precision, recall := common/float64(len(said)), common/float64(len(accepted))
		best = max(best, 2*precision*recall/(precision+recall))
	}
	return best
}

// rougeWords are runs of the letters a to z and of digits, in lower case: everything else parts words.
func rougeWords(text string) []string {
	return strings.FieldsFunc(lower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// commonWords is the length of the longest common subsequence.
func commonWords(a, b []string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// lower is lower case with all that Unicode says of it, as in Python and Java.
func lower(text string) string { return cases.Lower(language.Und).String(text) }
