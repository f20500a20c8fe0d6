package model

import (
	"espalier/torch"
	"espalier/torch/nn"
)

// Network is a multimodal model that can be scored, cut and distilled. The pruning and distillation packages know no
// more of a model than this.
type Network interface {
	// Store holds the parameters and axes.
	Store() *nn.Store
	// Rebuild declares the same kind of network with other sizes; its parameters have no values.
	Rebuild(nn.Structure) (Network, error)
	// Logits are [n, vocabulary] for the n scored positions of a batch.
	Logits(*Batch) *torch.Tensor
	// Hidden are the normed states [n, hidden] behind the logits; Head maps them to the logits.
	Hidden(*Batch) *torch.Tensor
	Head(hidden *torch.Tensor) *torch.Tensor
	// States are the outputs of all parts; their Hidden is that of Hidden.
	States(*Batch) States
	// HeadParams are the parameters that Head reads.
	HeadParams() []*nn.Param
	// Form says how the network takes its questions.
	Form() Form
	// Generate answers the questions of each picture; see Blip2.Generate.
	Generate(pictures *torch.Tensor, questions [][]Question, o GenerateOptions) ([][][]int, error)
	// Save writes the checkpoint's files into a folder.
	Save(folder string) error
	// Config describes the original's sizes.
	Config() *Config
}

// Convert copies a network to another dtype or device.
func Convert(n Network, d torch.DType, on torch.Device) (Network, error) {
	c, err := n.Rebuild(n.Store().Structure())
	if err != nil {
		return nil, err
	}
	values := make(map[string]*torch.Tensor)
	err = torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			for name, t := range n.Store().Named() {
				values[name] = t.Detach().ToDevice(on).To(d).Clone().Release()
			}
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, c.Store().Fill(values)
}

// Share is a network of the same kind over the same memory: it costs nothing. Before it is trained for itself it must be made its own (Store.Own); as
// it is, its gradients are its own and its values the other's, as a distillation.Worker's are.
func Share(n Network) (Network, error) {
	c, err := n.Rebuild(n.Store().Structure())
	if err != nil {
		return nil, err
	}
	return c, c.Store().Share(n.Store())
}
