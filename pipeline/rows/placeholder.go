package rows

import (
	"fmt"
	"strings"

	"espalier/model/tokenizer"
)

// withoutPlaceholder takes out a place for the picture that a question begins with, as LLaVA's do: there the networks computed here have
// their picture anyway. Anywhere else, or where there is no picture, the question would mean something else.
func withoutPlaceholder(question string, pictured bool) (string, error) {
	const word = tokenizer.ImageWord
	if !strings.Contains(question, word) {
		return question, nil
	}
	rest, begins := strings.CutPrefix(strings.TrimSpace(question), word)
	rest = strings.TrimSpace(rest)
	switch {
	case !pictured:
		return "", fmt.Errorf("the question holds %s, a place for a picture, but the row has none; name the picture, or take it out", word)
	case !begins || strings.Contains(rest, word):
		return "", fmt.Errorf("the question holds %s behind its beginning, but the picture always comes before the question here; take it out", word)
	case rest == "":
		return "", fmt.Errorf("there is no question behind %s; add one, or remove the row", word)
	}
	return rest, nil
}
