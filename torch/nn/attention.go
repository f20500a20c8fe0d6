package nn

import "espalier/torch"

// SplitHeads turns [batch, tokens, heads·size] into [batch, heads, tokens, size].
func (a *Axis) SplitHeads(x *torch.Tensor) *torch.Tensor {
	return x.Unflatten(-1, a.units, a.block).Transpose(1, 2)
}

// SplitFused turns the fused projection [batch, tokens, n·heads·size] into n tensors [batch, heads, tokens, size].
func (a *Axis) SplitFused(x *torch.Tensor, n int) []*torch.Tensor {
	parts := x.Unflatten(-1, n, a.units, a.block).Permute(2, 0, 3, 1, 4)
	out := make([]*torch.Tensor, n)
	for i := range out {
		out[i] = parts.Select(0, i)
	}
	return out
}

// Attend is scaled dot-product attention over the heads of a, [batch, heads, tokens, size] each, gated by head; it gives
// [batch, tokens, heads·size].
func (a *Axis) Attend(q, k, v, mask *torch.Tensor, scale float64) *torch.Tensor {
	return a.Gated(torch.ScaledDotProductAttention(q, k, v, mask, scale).Transpose(1, 2).Flatten(2, 3))
}
