package tokenizer

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// pattern finds what a Replace replaces: a text, or a regular expression.
type pattern struct{ re *regexp.Regexp }

// foreign lists what means something else to Oniguruma, whose expressions `tokenizers` takes, than to Go.
// Go refuses by itself what it does not have, such as look-around.
var foreign = regexp.MustCompile(`\\[0-9A-Za-z]|[\^$]|\(\?[^:]|\[\[|&&|\[:|\{,|\}[?+]|[+*?]\+`)

func (p *pattern) UnmarshalJSON(data []byte) error {
	var one struct {
		String *string
		Regex  *string
	}
	if err := strict(json.RawMessage(data), &one); err != nil {
		return err
	}
	switch {
	case one.String != nil && one.Regex == nil && *one.String != "":
		p.re = regexp.MustCompile(regexp.QuoteMeta(*one.String))
	case one.Regex != nil && one.String == nil:
		if found := foreign.FindString(*one.Regex); found != "" {
			return fmt.Errorf("regular expression %q: %q is not computed here", *one.Regex, found)
		}
		re, err := regexp.Compile(*one.Regex)
		if err != nil {
			return fmt.Errorf("regular expression %q is not computed here: %w", *one.Regex, err)
		}
		if re.MatchString("") {
			return fmt.Errorf("regular expression %q matches nothing at all, which is not computed here", *one.Regex)
		}
		p.re = re
	default:
		return fmt.Errorf("pattern %s is not computed here", data)
	}
	return nil
}

// maxText bounds the text that a hostile file can make of a short one.
const maxText = 64 << 20

// replacement is the part Replace, which is a normalizer as well as a decoder.
type replacement struct {
	Type    string
	Pattern pattern
	Content string
}

func readReplacement(p part) (*replacement, error) {
	var r replacement
	if err := p.read(&r); err != nil {
		return nil, err
	}
	if r.Pattern.re == nil {
		return nil, fmt.Errorf("%s Replace has no pattern; save the tokenizer again", p.kind)
	}
	return &r, nil
}

func (r *replacement) normalize(s *span) error {
	matches := r.Pattern.re.FindAllStringIndex(s.text, -1)
	if len(s.text)+len(matches)*len(r.Content) > maxText {
		return fmt.Errorf("tokenizer: Replace makes more than %d bytes of the text; encode a shorter one", maxText)
	}
	s.replace(matches, r.Content)
	return nil
}

// text replaces within a decoded token. Past maxText it stops replacing: a decoder has no way to fail.
func (r *replacement) text(token string) string {
	if len(token)*max(len(r.Content), 1) > maxText {
		return token
	}
	return r.Pattern.re.ReplaceAllLiteralString(token, r.Content)
}

// trimmed cuts white space off the ends of a span.
func trimmed(s *span, left, right bool) {
	a, b := 0, len(s.text)
	if right {
		b = len(strings.TrimRightFunc(s.text, unicode.IsSpace))
	}
	if left {
		a = b - len(strings.TrimLeftFunc(s.text[:b], unicode.IsSpace))
	}
	s.text, s.from = s.text[a:b], s.from[a:b]
}
