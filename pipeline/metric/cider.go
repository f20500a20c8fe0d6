package metric

import (
	"math"
	"strings"
)

const (
	ciderLengths = 4  // of word groups: 1 to 4
	ciderSigma   = 6. // of the penalty for other lengths
)

// groups counts the groups of 1 to 4 words of a text, in order of first appearance, so that sums are the same each time.
type groups struct {
	order []string
	count map[string]int
	pairs int // groups of two, which stand for the length
}

func groupsOf(words []string) groups {
	g := groups{count: map[string]int{}}
	for n := 1; n <= ciderLengths; n++ {
		for i := 0; i+n <= len(words); i++ {
			group := strings.Join(words[i:i+n], " ")
			if g.count[group] == 0 {
				g.order = append(g.order, group)
			}
			g.count[group]++
		}
	}
	g.pairs = max(0, len(words)-1)
	return g
}

// cider is CIDEr-D (Vedantam et al., arXiv 1411.5726) as the package pycocoevalcap computes it, with the answers of all questions as the
// corpus: how often groups of words occur together in an answer and the accepted ones, the rare ones more, times ten.
func cider(all []Answer) []float64 {
	said, accepted := make([]groups, len(all)), make([][]groups, len(all))
	in := map[string]int{} // questions whose accepted answers have a group
	for i, a := range all {
		said[i] = groupsOf(captionWords(a.Said))
		seen := map[string]bool{}
		for _, text := range a.Accepted {
			g := groupsOf(captionWords(text))
			accepted[i] = append(accepted[i], g)
			for _, group := range g.order {
				if !seen[group] {
					seen[group] = true
					in[group]++
				}
			}
		}
	}
	weights := rarity{math.Log(float64(len(all))), in}
	out := make([]float64, len(all))
	for i := range all {
		hypothesis := weights.vector(said[i])
		for _, g := range accepted[i] {
			out[i] += hypothesis.likeness(weights.vector(g))
		}
		if n := len(accepted[i]); n > 0 {
			out[i] *= 10 / float64(n)
		}
	}
	return out
}

// rarity is the inverse document frequency.
type rarity struct {
	log float64 // of the number of questions
	in  map[string]int
}

// vector is a text by its groups' weights.
type vector struct {
	groups
	weight map[string]float64
	norm   [ciderLengths]float64
}

func (r rarity) vector(g groups) vector {
	v := vector{groups: g, weight: make(map[string]float64, len(g.order))}
	for _, group := range g.order {
		w := float64(g.count[group]) * (r.log - math.Log(max(1, float64(r.in[group]))))
		v.weight[group] = w
		v.norm[length(group)] += w * w
	}
	for n := range v.norm {
		v.norm[n] = math.Sqrt(v.norm[n])
	}
	return v
}

// length is a group's number of words, from 0.
func length(group string) int { return strings.Count(group, " ") }

// likeness is the mean cosine over the lengths, clipped so that repeating a group gains nothing, less for other lengths.
func (v vector) likeness(of vector) (sum float64) {
	var cosine [ciderLengths]float64
	for _, group := range v.order {
		cosine[length(group)] += min(v.weight[group], of.weight[group]) * of.weight[group]
	}
	delta := float64(v.pairs - of.pairs)
	penalty := math.Exp(-delta * delta / (2 * ciderSigma * ciderSigma))
	for n := range cosine {
		if v.norm[n] != 0 && of.norm[n] != 0 {
			cosine[n] /= v.norm[n] * of.norm[n]
		}
		sum += cosine[n] * penalty / ciderLengths
	}
	return sum
}
