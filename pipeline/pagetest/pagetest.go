// Package pagetest checks a report.html as a browser without a network would take it.
package pagetest

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// Page is what was found in a page.
type Page struct {
	HTML     string
	Text     string   // all that can be read
	Sections []string // the ids of its parts, in order
	Cards    int      // of the gallery
	Charts   int
}

// empty are elements without an end.
var empty = map[string]bool{"meta": true, "link": true, "img": true, "br": true, "hr": true, "input": true}

// Check reads a page and holds that every element is closed in its turn, that each id stands once and each reference leads to one, that pictures have
// a text, that nothing is loaded from elsewhere and nothing leads there, and that the file is under 3 MB.
func Check(t testing.TB, path string) Page {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Less(t, len(text), 3_000_000, "%s is too large", path)
	p := Page{HTML: string(text)}
	lower := strings.ToLower(p.HTML)
	for _, foreign := range []string{"http:", "https:", "xmlns", "url(", "@import", "ftp:"} {
		assert.NotContains(t, lower, foreign)
	}
	var open []string
	var words strings.Builder
	ids, refers := map[string]bool{}, map[string]string{}
	for z := html.NewTokenizer(strings.NewReader(p.HTML)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			require.True(t, errors.Is(z.Err(), io.EOF), "%v", z.Err())
			break
		}
		token := z.Token()
		switch kind {
		case html.TextToken:
			if n := len(open); n > 0 && open[n-1] != "script" && open[n-1] != "style" {
				words.WriteString(token.Data + " ")
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			p.element(t, token, ids, refers)
			if kind == html.StartTagToken && !empty[token.Data] {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			require.NotEmpty(t, open, "</%s> closes nothing", token.Data)
			require.Equal(t, open[len(open)-1], token.Data, "an element is closed out of turn, after %q", last(words.String()))
			open = open[:len(open)-1]
		}
	}
	assert.Empty(t, open, "elements that are not closed")
	for to, from := range refers {
		assert.True(t, ids[to], "%s refers to #%s, which is not there", from, to)
	}
	p.Text = strings.Join(strings.Fields(words.String()), " ")
	return p
}

// element takes in an element's attributes.
func (p *Page) element(t testing.TB, token html.Token, ids map[string]bool, refers map[string]string) {
	t.Helper()
	of := map[string]string{}
	for _, a := range token.Attr {
		of[a.Key] = a.Val
		switch a.Key {
		case "id":
			assert.False(t, ids[a.Val], "the id %s stands twice", a.Val)
			ids[a.Val] = true
		case "aria-labelledby", "aria-describedby", "for":
			refers[a.Val] = a.Key
		case "href", "src", "xlink:href":
			if to, inside := strings.CutPrefix(a.Val, "#"); inside {
				refers[to] = a.Key
			} else {
				assert.True(t, strings.HasPrefix(a.Val, "data:"), "<%s %s=%q> leads out of the page", token.Data, a.Key, a.Val)
			}
		case "srcset", "action", "formaction", "ping", "poster", "background":
			t.Errorf("<%s> has %s=%q", token.Data, a.Key, a.Val)
		}
		assert.False(t, strings.HasPrefix(a.Key, "on"), "<%s> has a script in %s", token.Data, a.Key)
	}
	switch token.Data {
	case "img":
		assert.NotEmpty(t, of["alt"], "a picture without a text")
	case "section":
		p.Sections = append(p.Sections, of["id"])
	case "li":
		if of["class"] == "card" {
			p.Cards++
		}
	case "figure":
		p.Charts++
	case "iframe", "object", "embed", "base":
		t.Errorf("the page has a <%s>", token.Data)
	}
}

func last(text string) string {
	text = strings.TrimSpace(text)
	return text[max(0, len(text)-60):]
}
