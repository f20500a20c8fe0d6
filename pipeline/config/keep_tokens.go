package config

// usedTokens is what keep.vocabulary says for the tokens of the training data.
const usedTokens = "used"

// VocabularyKeep says which tokens of the language model stay. Its zero value keeps them all.
type VocabularyKeep struct {
	Used bool // those of the training questions and answers
	Most Keep // or so many, the most frequent first
}

// Whole tells whether every token stays.
func (k VocabularyKeep) Whole() bool { return !k.Used && k.Most.Whole() }

// visit reads "used", a count or a share.
func (k *VocabularyKeep) visit(t *table, of *key) {
	value, given := t.in[of.name]
	if k.Used = value == usedTokens || !given && k.Used; k.Used {
		k.Most, t.out[of.name] = Keep{}, usedTokens
		return
	}
	k.Most.visit(t, of)
}

// cutsTokens tells whether the stage cuts query tokens or the vocabulary.
func (k Towers) cutsTokens() bool { return !k.Queries.Whole() || !k.Vocabulary.Whole() }
