package bench

// Floating-point operations, two for each multiply-add of a matrix product or an attention. Norms, activations and the optimizer are left out: what
// a time lacks of the machine's rate is theirs too.

// readWork is that of a picture up to the prefix.
func (m *material) readWork() float64 {
	v, q := m.config.Vision, m.config.QFormer
	grid := v.Image / v.Patch
	patches, queries := float64(grid*grid), float64(m.config.Queries)
	tokens := patches + 1
	wide := func(heads, size, hidden int) float64 {
		if size == 0 {
			return float64(hidden)
		}
		return float64(heads * size)
	}
	a := wide(v.Heads, v.HeadSize, v.Hidden)
	work := patches * float64(3*v.Patch*v.Patch*v.Hidden)
	work += float64(v.Layers) * layerWork(tokens, tokens, float64(v.Hidden), a, float64(v.Intermediate))
	a = wide(q.Heads, q.HeadSize, q.Hidden)
	work += float64(q.Layers) * layerWork(queries, queries, float64(q.Hidden), a, float64(q.Intermediate))
	cross := float64((q.Layers + q.CrossEvery - 1) / q.CrossEvery)
	work += cross * (2*queries*float64(q.Hidden)*a + 2*tokens*float64(v.Hidden)*a + 2*queries*tokens*a)
	return 2 * (work + queries*float64(q.Hidden*m.config.Text.Hidden))
}

// layerWork is the multiply-adds of a layer for so many tokens that see so many.
func layerWork(tokens, seen, hidden, attention, ffn float64) float64 {
	return tokens*(4*hidden*attention+2*hidden*ffn) + 2*tokens*seen*attention
}

// languageWork is that of new tokens behind earlier ones, of which some are scored.
func (m *material) languageWork(tokens, before, scored int) float64 {
	t := m.config.Text
	n, h := float64(tokens), float64(t.Hidden)
	return 2 * (float64(t.Layers)*layerWork(n, n+float64(before), h, h, float64(t.Intermediate)) + float64(scored*t.Hidden*t.Vocabulary))
}

// stepWork is that of a forward over the first batch and of its backward, which is twice as much.
func (m *material) stepWork() (work float64) {
	for _, questions := range m.training[0].questions {
		tokens, scored := m.config.Queries, 0
		for _, q := range questions {
			tokens, scored = tokens+len(q.Prompt)+len(q.Answer)-1, scored+len(q.Answer)
		}
		work += m.readWork() + m.languageWork(tokens, 0, scored)
	}
	return 3 * work
}

// answerWork is that of answers of the full length.
func (m *material) answerWork(batch int) float64 {
	prompt := m.config.Queries + len(m.askings[0].prompt)
	work := m.readWork() + m.languageWork(prompt, 0, 1)
	for i := range m.most - 1 {
		work += m.languageWork(1, prompt+i, 1)
	}
	return float64(batch) * work
}
