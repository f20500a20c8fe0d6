package serve

import (
	"math"
	"strings"
	"unicode/utf8"

	"espalier/model/speaker"
)

// said is an answer as it is told.
type said struct {
	text       string
	tokens     []token
	finish     string  // "stop", or "length" where the answer was cut off
	confidence float64 // its probability: that of its tokens and its end
}

// token is a piece of the answer's text: all pieces together are the text.
type token struct {
	text    string
	logProb float64
}

// leastLogProb is what OpenAI's interface gives for tokens of no probability: JSON has no infinity.
const leastLogProb = -9999

// tell makes the answer's text, up to the first of the texts that stop it.
func tell(a speaker.Answer, decode func([]int) string, stop []string) said {
	out := said{text: decode(a.IDs), finish: "length"}
	if a.Ended() {
		out.finish = "stop"
	}
	sum := 0.
	for _, p := range a.LogProbs {
		sum += p
	}
	if out.confidence = math.Exp(sum); math.IsNaN(out.confidence) {
		out.confidence = 0 // logits that are no numbers are sure of nothing
	}
	out.tokens = pieces(a, out.text, decode)
	end := len(out.text)
	for _, s := range stop {
		if at := strings.Index(out.text, s); at >= 0 && at < end {
			end, out.finish = at, "stop"
		}
	}
	out.cut(end)
	return out
}

// pieces divides the text among the tokens. What a token adds may change how the ones before it are written, and a letter may need
// several tokens: a piece ends where the text so far stops being the beginning of the whole.
func pieces(a speaker.Answer, whole string, decode func([]int) string) []token {
	out := make([]token, len(a.IDs))
	from := 0
	for i := range a.IDs {
		to := len(whole)
		if i+1 < len(a.IDs) {
			to = max(from, common(whole, decode(a.IDs[:i+1])))
		}
		out[i] = token{whole[from:to], max(a.LogProbs[i], leastLogProb)}
		if math.IsNaN(a.LogProbs[i]) {
			out[i].logProb = leastLogProb
		}
		from = to
	}
	return out
}

// common is the length of what two texts begin with, in whole letters.
func common(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	return n
}

// cut leaves only the beginning of the text, and the tokens that have a part in it.
func (s *said) cut(end int) {
	if end == len(s.text) {
		return
	}
	s.text = s.text[:end]
	for i := range s.tokens {
		if end <= 0 {
			s.tokens = s.tokens[:i]
			return
		}
		t := &s.tokens[i].text
		*t = (*t)[:min(len(*t), end)]
		end -= len(*t)
	}
}
