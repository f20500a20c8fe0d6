package data

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"  Light   PURPLE ": "light purple",
		"light\tpurple\n":   "light purple",
		"Seven.":            "seven",
		"really ?!":         "really",
		"e. g. this":        "e. g. this", // only at the end
		"Cafe\u0301":        "café",       // NFC
		"CAFÉ":              "café",
		"I\u0307":           Normalize("İ"),
		"七。":                "七",
		"5%":                "5%",
		"C#":                "c#",
		"?":                 "?", // an answer that is punctuation stays one
		"":                  "",
		"no\u00a0logo":      "no logo",
	} {
		assert.Equal(t, want, Normalize(in), "%q", in)
		assert.Equal(t, want, Normalize(Normalize(in)), "%q twice", in)
	}
}

func TestCorrect(t *testing.T) {
	assert.True(t, Correct("Seven.", []string{"7", "seven"}))
	assert.True(t, Correct("cafe\u0301", []string{"Café"}))
	assert.False(t, Correct("seventeen", []string{"7", "seven"}))
	assert.False(t, Correct("", []string{"?"}))
	assert.False(t, Correct("seven", nil))
}

func FuzzNormalizeTwiceIsOnce(f *testing.F) {
	f.Add("Seven. ?")
	f.Add("İ\u0301")
	f.Fuzz(func(t *testing.T, s string) {
		assert.Equal(t, Normalize(s), Normalize(Normalize(s)))
	})
}
