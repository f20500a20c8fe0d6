package prompt

import (
	"fmt"
	"slices"
	"strings"

	"espalier/model/tokenizer"
)

// checkPlaceholder refuses a prompt that names a place for the picture: the families computed here have it before the
// prompt, and the token's own embedding, which no training has touched, would be read as a word. transformers refuses too.
func (v Words) checkPlaceholder(text string, ids []int) error {
	named := tokenizer.ImageWord
	switch {
	case strings.Contains(text, tokenizer.ImageWord):
	case v.image != nil && *v.image >= 0 && slices.Contains(ids, *v.image):
		named = fmt.Sprintf("the token %d, the config's image_token_index", *v.image)
	default:
		return nil
	}
	where := "the question"
	if strings.Contains(v.Template, tokenizer.ImageWord) {
		where = "the prompt that frames questions"
	}
	return fmt.Errorf("%s holds %s, a place for the picture, but the picture always comes before the prompt here; take it out", where, named)
}
