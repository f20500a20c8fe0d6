package data

import (
	"fmt"
	"slices"
	"strings"

	"espalier/model/tokenizer"
)

// The words of the ads: what can be asked of a picture and what can be answered. The order of every list is part
// of the data set: the pictures are drawn by index, and the vocabulary's ids follow it.
var (
	adTasks = []string{"color", "manifestations", "content", "logo", "style"}

	// adQuestions has two phrasings a task.
	adQuestions = [][2]string{
		{"what color is this advert background", "name the main background color here"},
		{"how is this advert product shown", "name the form of presentation here"},
		{"what does this advert offer today", "name the offer and product here"},
		{"which logo and where is it", "name the logo and side here"},
		{"what design style is this advert", "name the visual design style here"},
	}

	adTones = []string{"dark", "light"}
	adHues  = []hue{
		{"red", rgb{200, 50, 50}}, {"orange", rgb{205, 125, 45}}, {"yellow", rgb{200, 190, 60}},
		{"green", rgb{60, 165, 70}}, {"teal", rgb{50, 165, 165}}, {"blue", rgb{60, 85, 200}},
		{"purple", rgb{130, 60, 190}}, {"pink", rgb{215, 105, 170}},
	}
	adForms    = []string{"single product", "product pair", "product grid", "before after split", "framed card", "price burst"}
	adStyles   = []string{"flat minimal", "striped retro", "dotted pop art", "checkered vintage", "soft gradient", "halftone grunge"}
	adProducts = []string{"bottle", "phone", "cup", "car", "shoe", "book", "house", "ball"}
	adOffers   = []string{"sale", "new", "free", "gift"}
	adSlogans  = []string{"SALE", "NEW!", "FREE", "GIFT"} // the offers as they are written on the strip
	adGlyphs   = []string{"star", "cross", "ring", "triangle", "diamond", "moon"}
	adSides    = []string{"left", "right"}
)

const adNoLogo = "no logo"

type hue struct {
	name  string
	color rgb
}

// adVocabulary is the closed list of 85 words, in order of first appearance in the lists above.
func adVocabulary() (*tokenizer.WordLevel, error) {
	var phrases []string
	for _, q := range adQuestions {
		phrases = append(phrases, q[:]...)
	}
	phrases = append(phrases, adTones...)
	for _, h := range adHues {
		phrases = append(phrases, h.name)
	}
	phrases = slices.Concat(phrases, adForms, adStyles, adProducts, adOffers, []string{"on"}, adGlyphs, adSides, []string{adNoLogo})
	words := []string{tokenizer.PadWord, tokenizer.EOSWord}
	for _, p := range phrases {
		for w := range strings.FieldsSeq(p) {
			if !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	return tokenizer.NewWordLevel(words)
}

// questions are the five questions of a scene, one a task, each with its one answer.
func (s *scene) questions() []Question {
	logo := adNoLogo
	if s.glyph < len(adGlyphs) {
		logo = adGlyphs[s.glyph] + " " + adSides[s.side]
	}
	answers := [...]string{
		adTones[s.tone] + " " + adHues[s.hue].name,
		adForms[s.form],
		fmt.Sprintf("%s on %s", adOffers[s.offer], adProducts[s.product]),
		logo,
		adStyles[s.style],
	}
	all := make([]Question, len(adTasks))
	for t, task := range adTasks {
		all[t] = Question{
			Text:     adQuestions[t][s.phrasing[t]],
			Answers:  []string{answers[t]},
			Task:     task,
			Category: adProducts[s.product],
		}
	}
	return all
}
