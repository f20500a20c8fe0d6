package metric

import (
	"slices"
	"strings"
	"unicode"
)

// VQAAnswers is how many people's answers VQA accuracy is defined for.
const VQAAnswers = 10

// enough is how many other people must say the same for an answer to count in full.
const enough = 3

// vqa is VQA accuracy (Antol et al., arXiv 1505.00468, as visualqa.org/evaluation defines it): the share of three people that agree, at
// most 1, as the mean over all choices of nine of the ten people.
func vqa(a Answer) (mean float64) {
	said, same := vqaForm(a.Said), make([]int, len(a.Accepted))
	agree := 0
	for i, text := range a.Accepted {
		if vqaForm(text) == said {
			same[i] = 1
			agree++
		}
	}
	for i := range same {
		mean += min(1, float64(agree-same[i])/enough) / float64(len(same))
	}
	return mean
}

// vqaForm is the form in which VQA compares answers: lower case; no full stops and commas but those within numbers, which lose their commas;
// other signs but apostrophes and colons are spaces; number words as digits; no articles; apostrophes where contractions lack them.
func vqaForm(text string) string {
	letters := []rune(strings.ToLower(text))
	var plain strings.Builder
	for i, r := range letters {
		number := i > 0 && i+1 < len(letters) && unicode.IsDigit(letters[i-1]) && unicode.IsDigit(letters[i+1])
		switch {
		case r == '.' && number:
			plain.WriteRune(r)
		case r == '.' || r == ',' && number:
		case r == '\'' || r == ':' || !unicode.IsPunct(r) && !unicode.IsSymbol(r):
			plain.WriteRune(r)
		default:
			plain.WriteByte(' ')
		}
	}
	var words []string
	for word := range strings.FieldsSeq(plain.String()) {
		if slices.Contains(articles, word) {
			continue
		}
		if digit := slices.Index(numbers, word); digit >= 0 {
			word = digits[digit]
		}
		if full, ok := contractions[word]; ok {
			word = full
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

var (
	articles = []string{"a", "an", "the"}
	numbers  = []string{"none", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
	digits   = []string{"0", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}

	contractions = map[string]string{}
)

// Contractions that are no other word without their apostrophe.
const contracting = `ain't aren't can't couldn't could've didn't doesn't don't hadn't hasn't haven't how's i'm i've isn't it'll let's ma'am might've
	mightn't must've mustn't needn't o'clock she's should've shouldn't that's there's they'd they'll they're they've wasn't we've weren't what's
	when's where's who's who've why's won't would've wouldn't y'all you'd you'll you're you've`

func init() {
	for word := range strings.FieldsSeq(contracting) {
		contractions[strings.ReplaceAll(word, "'", "")] = word
	}
}
