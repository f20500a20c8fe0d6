package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedTokens are found in the text before the model sees it: those that are not normalized in the text as
// given, the others in the normalized text.
type addedTokens struct {
	tokens     map[int]addedToken
	texts      map[int]string // what each is decoded from: normalized, where the token is
	special    map[string]bool
	raw, clean *trie // nil: none
}

// newAddedTokens gives the ids as `tokenizers` does: the model's own or else the next free one, whatever id the
// file states. They are what a network was trained with.
func newAddedTokens(list []addedToken, m model, n normalizer) (*addedTokens, error) {
	a := &addedTokens{tokens: map[int]addedToken{}, texts: map[int]string{}, special: map[string]bool{}}
	next := m.size()
	ids := map[string]int{}
	for _, t := range list {
		if t.Content == "" {
			continue // it could never be found; `tokenizers` skips it too
		}
		if _, twice := ids[t.Content]; twice {
			return nil, fmt.Errorf("the added token %q is listed twice; remove one", t.Content)
		}
		id, known := m.id(t.Content)
		if !known {
			id = next
			next++
		}
		if _, taken := a.tokens[id]; taken {
			return nil, fmt.Errorf("two added tokens share the id %d; save the tokenizer again", id)
		}
		ids[t.Content] = id
		a.tokens[id], a.texts[id] = t, t.Content
		if t.Special {
			a.special[t.Content] = true
		}
		if err := a.index(id, t, n); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// index puts the token where its text is looked for.
func (a *addedTokens) index(id int, t addedToken, n normalizer) error {
	into := &a.raw
	if t.Normalized {
		into = &a.clean
		if n != nil {
			s := newSpan(t.Content)
			if err := n(&s); err != nil {
				return err
			}
			a.texts[id] = s.text
		}
	}
	if *into == nil {
		*into = newTrie()
	}
	if a.texts[id] == "" {
		return fmt.Errorf("the added token %q is empty once it is normalized; set its \"normalized\" to false", t.Content)
	}
	if !(*into).put(a.texts[id], id) {
		return fmt.Errorf("the added token %q is normalized to the text of another; set its \"normalized\" to false", t.Content)
	}
	return nil
}

// split cuts the text at the added tokens and normalizes what lies between.
func (a *addedTokens) split(text string, n normalizer) ([]span, error) {
	var out []span
	whole := newSpan(text)
	for _, s := range a.find(whole, a.raw) {
		if s.id >= 0 {
			out = append(out, s)
			continue
		}
		if n != nil {
			if err := n(&s); err != nil {
				return nil, err
			}
		}
		out = append(out, a.find(s, a.clean)...)
	}
	return out, nil
}

// find cuts a span at the tokens of the trie: at each place the longest, from the left. Where white space at a
// token belongs to it, two tokens can overlap; both count, as in `tokenizers`.
func (a *addedTokens) find(s span, tokens *trie) []span {
	var out []span
	add := func(begin, end, id int) {
		if begin < end || id >= 0 {
			c := s.cut(begin, end)
			c.id = id
			out = append(out, c)
		}
	}
	begin := 0
	for at := 0; tokens != nil && at < len(s.text); {
		length, id := tokens.longest(s.text[at:])
		if length == 0 {
			at++
			continue
		}
		left, right := at, at+length
		at = right // a token that is refused below is passed over all the same
		t := a.tokens[id]
		if t.SingleWord && (endsWord(s.text[:left]) || beginsWord(s.text[right:])) {
			continue
		}
		if t.LStrip {
			left = max(len(strings.TrimRightFunc(s.text[:left], unicode.IsSpace)), begin)
		}
		if t.RStrip {
			right = len(s.text) - len(strings.TrimLeftFunc(s.text[right:], unicode.IsSpace))
		}
		right = max(left, right)
		add(begin, left, -1)
		add(left, right, id)
		begin = right
	}
	add(begin, len(s.text), -1)
	return out
}

func endsWord(text string) bool {
	r, size := utf8.DecodeLastRuneInString(text)
	return size > 0 && isWordRune(r)
}

func beginsWord(text string) bool {
	r, size := utf8.DecodeRuneInString(text)
	return size > 0 && isWordRune(r)
}
