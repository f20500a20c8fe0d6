package model

import (
	"espalier/torch"
	"espalier/torch/nn"
)

// Vision is the visual encoder: a ViT with norms before attention and feed-forward, and a class token.
type Vision struct {
	hidden, stack   *nn.Axis
	patches         *nn.PatchConv
	class, position *nn.Param
	layers          []*visionLayer
	norm            *nn.LayerNorm
}

type visionLayer struct {
	attention       *nn.Attention
	norm1, norm2    *nn.LayerNorm
	qkv, projection *nn.Linear
	mlp             feedForward
	scale           float64
}

func newVision(b *nn.Builder, c VisionConfig) *Vision {
	b = b.Tower("vision", "vision").Sub("vision_model")
	hidden := b.Axis("hidden", nn.Hidden, c.Hidden)
	side := c.Image / c.Patch
	one := nn.Fixed(1)
	e := b.Sub("embeddings")
	v := &Vision{
		hidden:   hidden,
		class:    e.Param("class_embedding", nn.Zeros, one, one, hidden.Dim()),
		position: e.Param("position_embedding", nn.Normal(.6), one, nn.Fixed(1+side*side), hidden.Dim()),
		patches:  e.PatchConv("patch_embedding", hidden.Dim(), 3, c.Patch),
		stack:    b.Stack("encoder.layers", c.Layers),
		norm:     b.LayerNorm("post_layernorm", hidden, c.Eps),
	}
	for i := range v.stack.Units() {
		v.layers = append(v.layers, newVisionLayer(b.Layer(v.stack, i), hidden, c))
	}
	return v
}

func newVisionLayer(b *nn.Builder, hidden *nn.Axis, c VisionConfig) *visionLayer {
	attention := b.Attention(b.Axis("heads", nn.Heads, c.Heads), "", c.HeadSize)
	return &visionLayer{
		attention:  attention,
		scale:      b.Number("attention_scale", attentionScale(c.HeadSize)),
		norm1:      b.LayerNorm("layer_norm1", hidden, c.Eps),
		qkv:        b.LinearIf(c.QKVBias, "self_attn.qkv", attention.Fused(), hidden.Dim(), weightInit),
		projection: b.Linear("self_attn.projection", hidden.Dim(), attention.Output(), weightInit),
		norm2:      b.LayerNorm("layer_norm2", hidden, c.Eps),
		mlp:        newFeedForward(b, "ffn", "mlp.fc1", "mlp.fc2", hidden, c.Intermediate, c.Activation, true),
	}
}

// Forward maps normalised pictures [batch, 3, size, size] to tokens [batch, 1 + patches, hidden], the class token first.
func (v *Vision) Forward(pictures *torch.Tensor) *torch.Tensor {
	patches := v.patches.Forward(pictures)
	x := torch.Cat(1, v.class.T().ExpandFirst(patches), patches).Add(v.position.T())
	x = v.hidden.Gated(x)
	for i, l := range v.layers {
		x = torch.Inner(func(_ *torch.Scope, in []*torch.Tensor) *torch.Tensor {
			return v.stack.Through(i, in[0], l.forward(v.hidden, in[0]))
		}, x)
	}
	return v.norm.Forward(x)
}

func (l *visionLayer) forward(hidden *nn.Axis, x *torch.Tensor) *torch.Tensor {
	attended := l.attention.AttendFused(l.qkv.Forward(l.norm1.Forward(x)), l.scale)
	x = x.Add(hidden.Gated(l.projection.Forward(attended)))
	return x.Add(hidden.Gated(l.mlp.Forward(l.norm2.Forward(x))))
}
