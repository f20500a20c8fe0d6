package pruning

import (
	"fmt"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
)

// Tolerance is how far a cut network may be from the masked one: rounding in float64 stays far below, a forgotten
// parameter far above.
const Tolerance = 1e-9

// VerifyError says that a cut network does not compute what the masked one did.
type VerifyError struct {
	Diff   float64 // largest |Δ logit| over the largest |logit|
	Detail string
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("pruning: the cut network differs from the masked one by %.3g of the largest logit, at most %.0e is allowed%s",
		e.Diff, Tolerance, e.Detail)
}

// Verify proves a cut: it runs the network before, with gates in place of the plan's cuts, and the network after on a
// batch, both in float64, and returns max |Δ logit| / max |logit|. More than [Tolerance] is a *VerifyError that names
// the parameters that look forgotten.
func Verify(before, after model.Network, p Plan, batch func() (*model.Batch, error)) (diff float64, err error) {
	keep, err := p.axes(before.Store())
	if err != nil {
		return 0, err
	}
	err = torch.Run(func(*torch.Scope) error {
		b, err := batch()
		if err != nil {
			return err
		}
		want, err := masked(before, p, b)
		if err != nil {
			return fmt.Errorf("masked forward: %w", err)
		}
		got, err := plain(after, keep, b)
		if err != nil {
			return fmt.Errorf("forward of the cut network: %w%s", err, suspects(after.Store(), keep))
		}
		diff, err = compare(want, got, suspects(after.Store(), keep))
		return err
	})
	if err != nil {
		return diff, fmt.Errorf("pruning: verify: %w", err)
	}
	return diff, nil
}

// Prove is [Verify] for networks of which only the parameters are known: masked computes the outputs of the original
// while the axes that the plan cuts have gates, and cut those of the network that is left, both in float64. The forward
// must have a gate point ([nn.Axis.Gated]) for each of these axes; without one the networks cannot be equal.
func Prove(before, after *nn.Store, p Plan, masked, cut func() *torch.Tensor) (diff float64, err error) {
	keep, err := p.axes(before)
	if err != nil {
		return 0, err
	}
	err = torch.Run(func(*torch.Scope) (err error) {
		torch.NoGrad(func() {
			defer before.SetGates(nil)
			gates, _ := p.gates(before, before.Params()[0].T().Device())
			before.SetGates(gates)
			want := masked()
			before.SetGates(nil)
			got := cut()
			if want.DType() != torch.Float64 || got.DType() != torch.Float64 {
				err = fmt.Errorf("outputs are %v and %v: a proof needs both networks and their inputs in float64", want.DType(), got.DType())
				return
			}
			diff, err = compare(want, got, suspects(after, keep)+"; has the forward a gate point for every axis of the plan?")
		})
		return err
	})
	if err != nil {
		return diff, fmt.Errorf("pruning: verify: %w", err)
	}
	return diff, nil
}

// compare gives max |Δ| / max |want|, and says what to look at where that is too much.
func compare(want, got *torch.Tensor, detail string) (diff float64, err error) {
	if fmt.Sprint(got.Shape()) != fmt.Sprint(want.Shape()) {
		return 0, fmt.Errorf("the cut network's logits have shape %v, the masked one's %v%s", got.Shape(), want.Shape(), detail)
	}
	diff = got.Sub(want).Abs().AMax().Item()
	if largest := want.Abs().AMax().Item(); largest != 0 { // one dimension after a norm is nothing at all
		diff /= largest
	}
	if !(diff <= Tolerance) { // also when it is not a number
		return diff, &VerifyError{Diff: diff, Detail: detail}
	}
	return diff, nil
}

// gates are 1 for the units that stay and 0 for the others, and the columns of the kept vocabulary, or nil.
func (p Plan) gates(s *nn.Store, on torch.Device) (gates map[string]*torch.Tensor, columns []int) {
	gates = map[string]*torch.Tensor{}
	for name, units := range p.Keep {
		a := s.Axis(name)
		if a.Kind == nn.Vocabulary {
			columns = units
			continue
		}
		gate := make([]float64, a.Units())
		for _, u := range units {
			gate[u] = 1
		}
		gates[name] = torch.From(gate, on)
	}
	return gates, columns
}

// masked are the float64 logits of the network under the plan's gates, over the kept vocabulary.
func masked(n model.Network, p Plan, b *model.Batch) (*torch.Tensor, error) {
	return in64(n, b, func(n model.Network, b *model.Batch) *torch.Tensor {
		gates, columns := p.gates(n.Store(), b.Pictures.Device())
		n.Store().SetGates(gates)
		logits := n.Logits(b)
		if columns != nil {
			logits = logits.IndexSelect(1, torch.FromInts(columns, logits.Device()))
		}
		return logits
	})
}

// plain are the float64 logits of the cut network, whose tokens have the numbers that the cut left them.
func plain(n model.Network, keep map[*nn.Axis][]int, b *model.Batch) (*torch.Tensor, error) {
	for a, units := range keep {
		if a.Kind != nn.Vocabulary {
			continue
		}
		to := map[int]int{}
		for i, u := range units {
			to[u] = i
		}
		var err error
		if b, err = b.MapIDs(to); err != nil {
			return nil, err
		}
	}
	return in64(n, b, model.Network.Logits)
}

// in64 calls f while the network computes in float64. Its weights are converted block by block and freed again.
func in64(n model.Network, b *model.Batch, f func(model.Network, *model.Batch) *torch.Tensor) (out *torch.Tensor, err error) {
	defer n.Store().SetGates(nil)
	defer n.Store().ComputeIn(torch.Float64)()
	err = torch.Run(func(s *torch.Scope) error {
		torch.NoGrad(func() { out = f(n, b.PicturesTo(torch.Float64)) })
		s.Keep(out)
		return nil
	})
	return out, err
}
