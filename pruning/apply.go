package pruning

import (
	"fmt"
	"sort"
	"strings"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
)

// Apply makes the network that is left when only the plan's units stay; the old one is unchanged. What is sliced is new,
// tensors that stay whole share the old network's memory: Store.Own copies them before the new one is trained. With every
// unit kept both are equal bit for bit.
func Apply(n model.Network, p Plan) (model.Network, error) { return apply(n, p, false) }

// ApplyFreeing is [Apply] for a caller who is done with the old network: each of its tensors is freed as soon as what is left of it
// is there, so that no more than one is in memory twice. The old network has no values afterwards, also after an error.
func ApplyFreeing(n model.Network, p Plan) (model.Network, error) {
	defer n.Store().Free()
	return apply(n, p, true)
}

const trimAfter = 256 << 20 // bytes that were freed

func apply(n model.Network, p Plan, freeing bool) (model.Network, error) {
	var after model.Network
	_, err := cut(n.Store(), p, freeing, func(sizes nn.Structure) (s *nn.Store, err error) {
		if after, err = rebuilt(n, p, sizes); err != nil {
			return nil, err
		}
		return after.Store(), nil
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// Declare is the network that the plan leaves, without values.
func Declare(n model.Network, p Plan) (model.Network, error) {
	keep, err := p.axes(n.Store())
	if err != nil {
		return nil, err
	}
	return rebuilt(n, p, n.Store().Cut(keep).Structure)
}

// rebuilt declares the network with other sizes. Where its vocabulary is cut, its config's ids follow.
func rebuilt(n model.Network, p Plan, sizes nn.Structure) (model.Network, error) {
	after, err := n.Rebuild(sizes)
	if err != nil {
		return nil, err
	}
	if tokens := p.tokens(n.Store()); tokens != nil {
		err = after.Config().KeepTokens(tokens)
	}
	return after, err
}

// Slice is [Apply] for the parameters alone; declare is the declaration that made them.
func Slice(s *nn.Store, p Plan, declare func(*nn.Builder)) (*nn.Store, error) {
	return cut(s, p, false, func(sizes nn.Structure) (*nn.Store, error) { return nn.Declare(&sizes, declare) })
}

func cut(s *nn.Store, p Plan, freeing bool, rebuild func(nn.Structure) (*nn.Store, error)) (*nn.Store, error) {
	keep, err := p.axes(s)
	if err != nil {
		return nil, err
	}
	left := s.Cut(keep)
	after, err := rebuild(left.Structure)
	if err != nil {
		return nil, fmt.Errorf("pruning: rebuild: %w", err)
	}
	values, shared := map[string]*torch.Tensor{}, map[string]bool{}
	freed := 0
	for _, param := range s.Params() {
		if name, stays := left.Name(param); stays {
			err := torch.Run(func(*torch.Scope) error { // one for each, so that nothing of it is in memory afterwards
				torch.NoGrad(func() {
					v, whole := sliced(param, keep)
					values[name] = v.Release()
					if whole {
						shared[name] = true
					}
				})
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("pruning: slice: %w", err)
			}
		}
		if freeing {
			freed += param.Bytes()
			param.Value.Free()
			if freed > trimAfter { // the allocator keeps what is freed, and may take what is left from elsewhere
				torch.TrimMemory()
				freed = 0
			}
		}
	}
	if err := after.Fill(values); err != nil {
		return nil, fmt.Errorf("pruning: slice: %w%s", err, suspects(after, keep))
	}
	for name := range shared {
		p := after.Param(name)
		p.Share(p.Value)
	}
	return after, nil
}

// sliced is what stays of a parameter; whole when that is all of it, in the same memory.
func sliced(p *nn.Param, keep map[*nn.Axis][]int) (t *torch.Tensor, whole bool) {
	t, whole = p.T().Detach(), true
	for d, dim := range p.Dims {
		if kept := dim.Keep(keep); kept != nil && len(kept) < dim.Size() {
			t, whole = t.IndexSelect(d, torch.FromInts(kept, t.Device())), false
		}
	}
	if whole {
		return t, true
	}
	return t.Contiguous(), false
}

// suspects names the parameters that look as if their declaration forgot an axis: a dimension that no axis reaches
// still has the size that a cut axis had. "" when there are none.
func suspects(after *nn.Store, keep map[*nn.Axis][]int) string {
	var found []string
	for _, p := range after.Params() {
		for d, dim := range p.Dims {
			for a, units := range keep {
				size := a.Size()
				if len(units) == a.Units() || contains(dim.Axes(), a.Name) || (dim.Size()%size != 0 && dim.Size() != a.Units()) || !sameFamily(p, a) {
					continue
				}
				found = append(found, fmt.Sprintf("%s (dimension %d) still has %d, as %s had before the cut", p.Name, d, dim.Size(), a.Name))
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	sort.Strings(found)
	return "; was an axis left out of " + strings.Join(found, ", or of ") + "?"
}

// sameFamily is false when p cannot be a member of a: an axis of one block reaches only that block.
func sameFamily(p *nn.Param, a *nn.Axis) bool {
	stack, unit := a.Layer()
	if stack == nil {
		return true
	}
	pStack, pUnit := p.Layer()
	return pStack != nil && pStack.Name == stack.Name && pUnit == unit
}

func contains(axes []*nn.Axis, name string) bool {
	for _, a := range axes {
		if a.Name == name {
			return true
		}
	}
	return false
}
