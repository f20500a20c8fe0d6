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

// Forward maps pictures [batch, channels, height, width] to patches in row-major order, [batch, patches, out].
func (c *PatchConv) Forward(x *torch.Tensor) *torch.Tensor {
	return x.Conv2D(c.W.T(), c.B.T(), c.Patch).Flatten(2, 3).Transpose(1, 2)
}
