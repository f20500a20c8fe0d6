package data

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// sentenceEnds are dropped from the end of an answer. Signs that carry meaning ("5%", "c#") are not among them.
const sentenceEnds = ".,;:!?…。！？，、；："

// Normalize brings an answer to the form in which answers are compared: Unicode NFC, lower case, single spaces,
// final punctuation dropped. An answer that is nothing but punctuation keeps it.
func Normalize(s string) string {
	s = norm.NFC.String(strings.ToLower(norm.NFC.String(s)))
	s = strings.Join(strings.Fields(s), " ")
	if t := strings.TrimRight(s, sentenceEnds+" "); t != "" {
		return t
	}
	return s
}

// Correct says whether the prediction equals one of the accepted answers after [Normalize]: exact match.
func Correct(predicted string, accepted []string) bool {
	predicted = Normalize(predicted)
	for _, a := range accepted {
		if Normalize(a) == predicted {
			return true
		}
	}
	return false
}
