package metric

import "strings"

// leastANLS is how like an accepted answer must be for its likeness to count.
const leastANLS = .5

// anls is the average normalized Levenshtein similarity of ST-VQA and DocVQA (Biten et al., arXiv 1905.13648), of one question: 1 less
// the share of letters to change, of the accepted answer that is most alike; 0 from one half on. Case and runs of white space do not count.
func anls(a Answer) (best float64) {
	said := plainLetters(a.Said)
	for _, text := range a.Accepted {
		accepted := plainLetters(text)
		likeness := 1.
		if n := max(len(said), len(accepted)); n > 0 {
			likeness = 1 - float64(distance(said, accepted))/float64(n)
		}
		if likeness > leastANLS {
			best = max(best, likeness)
		}
	}
	return best
}

func plainLetters(text string) []rune {
	return []rune(strings.Join(strings.Fields(strings.ToLower(text)), " "))
}

// distance is Levenshtein's: the letters to put in, leave out or change.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
