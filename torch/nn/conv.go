package nn

import "espalier/torch"

// PatchConv cuts pictures into square patches and maps each to a vector.
type PatchConv struct {
	W, B  *Param
	Patch int
}

// PatchConv declares name.weight [out, channels, patch, patch] and name.bias [out].
func (b *Builder) PatchConv(name string, out Dim, channels, patch int) *PatchConv {
	s := b.Sub(name)
	start := Uniform(channels * patch * patch)
	return &PatchConv{W: s.Param("weight", start, out, Fixed(channels), Fixed(patch), Fixed(patch)),
		B: s.Param("bias", start, out), Patch: patch}
}

// Forward maps pictures [batch, channels, height, width] to patches in row-major order, [batch, patches, out]. It is a
// matrix product over the patches' pixels: libtorch's convolution, which reorders its weights at each call, takes up to
// twice as long.
func (c *PatchConv) Forward(x *torch.Tensor) *torch.Tensor {
	x = x.Unflatten(3, -1, c.Patch).Unflatten(2, -1, c.Patch).Permute(0, 2, 4, 1, 3, 5)
	return x.Flatten(3, 5).Flatten(1, 2).Linear(c.W.T().Flatten(1, 3), c.B.T())
}
