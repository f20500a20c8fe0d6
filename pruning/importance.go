// Package pruning decides what to cut, cuts it, and proves that the cut network computes what the masked one did.
package pruning

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
)

// Scores is the importance of each unit, by axis.
type Scores map[string][]float64

// Sample is the data behind a score.
type Sample struct {
	Batches int
	// Batch makes the i-th batch in the current scope.
	Batch func(i int) (*model.Batch, error)
	// Loss is the scalar whose gradient is taken, for the logits [n, vocabulary] of the i-th batch.
	Loss func(i int, b *model.Batch, logits *torch.Tensor) *torch.Tensor
	Seed uint64
	Resumed
	// Pieces divides batches where memory is short, with the same scores up to rounding. Nil never divides them.
	Pieces *torch.Pieces
}

// Objective is the data behind a score of a network that is known by its parameters alone.
type Objective struct {
	Batches int
	// Loss computes the scalar whose gradient is taken, for the i-th batch, in the current scope.
	Loss func(i int) (*torch.Tensor, error)
	Seed uint64
	Resumed
}

// source is where the gradients come from that a criterion looks at.
type source struct {
	batches int
	seed    uint64
	pieces  *torch.Pieces
	passes  func(batch, pieces int, f func(pass) error) error
	Resumed
}

// criterion scores the units of axes, from the parameters and their gradients alone or from inside the network.
type criterion struct {
	score      func(*nn.Store, []*nn.Axis, source) (Scores, error)
	inside     func(model.Network, []*nn.Axis, Sample) (Scores, error)
	blocksOnly bool
	needsData  bool
}

var criteria = map[string]criterion{
	"gradient":      {score: folded(torch.FoldGradAbs), needsData: true},
	"taylor":        {score: folded(torch.FoldTaylorAbs), needsData: true},
	"taylor-vector": {score: folded(torch.FoldTaylor), needsData: true},
	"taylor-sample": {inside: gated, needsData: true},
	"magnitude":     {score: magnitude},
	"random":        {score: random},
	"last":          {score: last, blocksOnly: true},
	"activation":    {inside: activation, needsData: true},
	"cosine":        {inside: cosine, blocksOnly: true, needsData: true},
}

// Criteria lists the names of the criteria.
func Criteria() []string {
	var names []string
	for n := range criteria {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Importance scores every unit of the axes by a criterion, as the mean over the sample's batches:
//
//	gradient       Σ over the unit's slices Σ_i |g_i|
//	taylor         Σ over the unit's slices Σ_i |g_i·w_i|
//	taylor-vector  Σ over the unit's slices |Σ_i g_i·w_i|
//	taylor-sample  Σ over pictures |∂L/∂m| of a gate m for each picture and unit
//	magnitude      Σ over the unit's slices Σ_i |w_i|
//	activation     the norm of the unit's activations over a batch, at the points where a gate would multiply them
//	random         a seeded draw
//	last           blocks: the later, the less
//	cosine         blocks: 1 − the cosine between input and output, averaged over tokens
//
// A unit's slices are all parts of parameters that vanish with it; for a block, all its parameters (Molchanov et al.,
// 2019; arXiv 2312.05795). Gradients are folded as they arise and never kept. The network's gates must be free.
func Importance(n model.Network, name string, axes []*nn.Axis, s Sample) (Scores, error) {
	c, err := find(name, axes, s.Batches)
	if err != nil {
		return nil, err
	}
	if c.inside != nil {
		return c.inside(n, axes, s)
	}
	return c.score(n.Store(), axes, source{batches: s.Batches, seed: s.Seed, pieces: s.Pieces, Resumed: s.Resumed, passes: func(batch, pieces int, f func(pass) error) error {
		return s.passes(n, batch, pieces, f)
	}})
}

// Score is [Importance] for any network of which only the parameters are known, such as one of gotorch's modules: the
// loss may be computed by another library, as long as its gradients reach the store's tensors. No gradient may be left
// in them. taylor-sample, activation and cosine look inside a forward and need a model.Network.
func Score(s *nn.Store, name string, axes []*nn.Axis, o Objective) (Scores, error) {
	c, err := find(name, axes, o.Batches)
	if err != nil {
		return nil, err
	}
	if c.inside != nil {
		return nil, fmt.Errorf("pruning: criterion %q looks inside a forward, of which a store knows nothing; take gradient, taylor or taylor-vector", name)
	}
	err = torch.Run(func(*torch.Scope) error {
		for _, p := range s.Params() {
			if p.T().Grad() != nil {
				return fmt.Errorf("pruning: importance: %s has a gradient left from training, which would be counted: zero the gradients first", p.Name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c.score(s, axes, source{batches: o.Batches, seed: o.Seed, Resumed: o.Resumed, passes: func(batch, _ int, f func(pass) error) error { return o.whole(batch, f) }})
}

// find is the criterion of a name if it can score the axes.
func find(name string, axes []*nn.Axis, batches int) (criterion, error) {
	c, ok := criteria[name]
	if !ok {
		return c, fmt.Errorf("pruning: unknown criterion %q; there are %s", name, strings.Join(Criteria(), ", "))
	}
	for _, a := range axes {
		if c.blocksOnly && a.Kind != nn.Blocks {
			return c, fmt.Errorf("pruning: criterion %q scores blocks, not the %s of %s", name, a.Kind, a.Name)
		}
	}
	if c.needsData && batches < 1 {
		return c, fmt.Errorf("pruning: criterion %q needs at least one batch", name)
	}
	return c, nil
}

// empty starts the scores of axes at zero.
func empty(axes []*nn.Axis) Scores {
	out := Scores{}
	for _, a := range axes {
		out[a.Name] = make([]float64, a.Units())
	}
	return out
}

// slice is a place where a parameter's sums along one dimension count for units of an axis.
type slice struct {
	axis *nn.Axis
	dim  int
	unit []int // of each element along the dimension; for a block, one unit for all
}

// slicesOf lists, for each parameter, where it counts. Buffers count nowhere.
func slicesOf(s *nn.Store, axes []*nn.Axis) map[*nn.Param][]slice {
	out := map[*nn.Param][]slice{}
	for _, a := range axes {
		for _, m := range s.Members(a) {
			if m.Param.Buffer {
				continue
			}
			out[m.Param] = append(out[m.Param], slice{a, m.Dim, m.Param.Dims[m.Dim].Units(a)})
		}
		if a.Kind != nn.Blocks {
			continue
		}
		for _, p := range s.Params() {
			if stack, unit := p.Layer(); stack == a && !p.Buffer {
				all := make([]int, p.Shape()[0])
				for i := range all {
					all[i] = unit
				}
				out[p] = append(out[p], slice{a, 0, all})
			}
		}
	}
	return out
}

// add counts the sums along the slice's dimension for its units. Neighbouring elements of one unit are one slice, whose
// sum counts by its absolute value.
func (s slice) add(scores Scores, sums []float64) {
	into := scores[s.axis.Name]
	for i := 0; i < len(sums); {
		unit, sum := s.unit[i], 0.
		for ; i < len(sums) && s.unit[i] == unit; i++ {
			sum += sums[i]
		}
		if unit >= 0 {
			into[unit] += max(sum, -sum)
		}
	}
}

// add adds a batch's scores times a factor, unless one of them is no finite number, which it tells.
func (s Scores) add(batch Scores, factor float64) (finite bool) {
	for _, v := range batch {
		for _, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return false
			}
		}
	}
	for name, v := range batch {
		for i, x := range v {
			s[name][i] += x * factor
		}
	}
	return true
}

// divide turns sums over batches into means.
func (s Scores) divide(n int) {
	for _, v := range s {
		for i := range v {
			v[i] /= float64(n)
		}
	}
}
