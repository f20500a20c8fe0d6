package model

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"espalier/torch"
	"espalier/torch/nn"
)

// Dtypes is how a checkpoint holds its weights: the dtype of each, by its name with the layers' numbers left out, so
// that it holds for a network with fewer layers too.
type Dtypes map[string]torch.DType

var layerNumber = regexp.MustCompile(`\.\d+(\.|$)`)

// DtypeKey is the name under which Dtypes knows a parameter.
func DtypeKey(name string) string { return layerNumber.ReplaceAllString(name, ".*$1") }

// DtypesOf is how a network holds its weights.
func DtypesOf(n Network) Dtypes {
	return DtypesBy(n, func(p *nn.Param) torch.DType { return p.T().DType() })
}

// DtypesBy is how a network's weights are held, as of tells it of each. Where layers differ, the widest dtype counts.
func DtypesBy(n Network, of func(*nn.Param) torch.DType) Dtypes {
	out := Dtypes{}
	for _, p := range n.Store().Params() {
		key, d := DtypeKey(p.Name), of(p)
		if known, ok := out[key]; !ok || d.Size() > known.Size() {
			out[key] = d
		}
	}
	return out
}

// All is one dtype for every weight of the same checkpoint.
func (d Dtypes) All(dtype torch.DType) Dtypes {
	out := maps.Clone(d)
	for name := range out {
		out[name] = dtype
	}
	return out
}

// Stored is the network as a checkpoint of these dtypes holds it. What has its dtype already shares n's memory. A value
// that the dtype cannot hold is an error that names its tensor. Weights of int8 are float32 values that are whole multiples of their rows' scales;
// vectors are float32 beside them.
func Stored(n Network, dtypes Dtypes) (Network, error) {
	c, err := n.Rebuild(n.Store().Structure())
	if err != nil {
		return nil, err
	}
	err = torch.Run(func(*torch.Scope) (err error) {
		torch.NoGrad(func() {
			for i, p := range c.Store().Params() {
				value := n.Store().Params()[i].T().Detach()
				d, ok := dtypes[DtypeKey(p.Name)]
				if d == torch.Int8 && ok {
					if torch.Int8Rows(p.Shape()) > 0 {
						whole, scales := value.ToInt8()
						p.Set(torch.FromInt8(whole, scales, value.Device()))
						p.Int8 = true
						continue
					}
					d = torch.Float32
				}
				if ok && d != value.DType() {
					err = holds(p, value, d)
					p.Set(value.To(d))
				} else {
					p.Share(value)
				}
				if err != nil {
					return
				}
			}
		})
		return err
	})
	if err != nil {
		c.Store().Free()
		return nil, err
	}
	return c, nil
}

// holds checks that a dtype reaches as far as a tensor's values.
func holds(p *nn.Param, value *torch.Tensor, d torch.DType) error {
	if d != torch.Float16 || value.Count() == 0 {
		return nil
	}
	if largest := value.Abs().AMax().Item(); largest > 65504 {
		return fmt.Errorf("%s reaches %.3g, float16 ends at 65504: bfloat16 or float32 holds it", p.Name, largest)
	}
	return nil
}

// dtype is that of all weights; false where they differ.
func (m *Blip2) dtype() (d torch.DType, one bool) {
	params := m.store.Params()
	d = params[0].Value.DType()
	return d, !slices.ContainsFunc(params, func(p *nn.Param) bool { return p.Value.DType() != d })
}
