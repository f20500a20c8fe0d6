package bench

import (
	"context"
	"maps"
	"slices"
	"time"

	"espalier/distillation"
	"espalier/model"
	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/nn"
)

// Training as the default job does it, but for the learning rate: the weights stay where they are.
const (
	learningRate = 1e-6
	weightDecay  = .05
	clip         = 1
)

const additions = 20000 // of one-element tensors, in a repetition

// here is this program's side of the benchmarks.
type here struct {
	*material
	networks map[string]model.Network
	on       torch.Device
}

// move takes the networks to a device, and what is packed from now on.
func (h *here) move(on torch.Device) error {
	if on == h.on {
		return nil
	}
	h.on = on
	for name, n := range h.networks {
		moved, err := model.Convert(n, h.dtype(), on)
		if err != nil {
			return err
		}
		n.Store().Free()
		h.networks[name] = moved
	}
	return nil
}

// pack makes batch i where the networks are, as a training loop does at each step.
func (h *here) pack(i int) (*model.Batch, error) { return h.material.pack(i, h.on) }

// names are those of the networks.
func (h *here) names() []string { return slices.Sorted(maps.Keys(h.networks)) }

// tiny times the addition of one-element tensors, freeing included, seconds each.
func (h *here) tiny(n int) (seconds []float64, err error) {
	err = torch.Run(func(*torch.Scope) error {
		a, b := torch.Ones([]int{1}, torch.Float32, h.on), torch.Ones([]int{1}, torch.Float32, h.on)
		for range n {
			start := time.Now()
			for range additions {
				a.Add(b).Free()
			}
			h.on.Synchronize()
			seconds = append(seconds, time.Since(start).Seconds()/additions)
		}
		return nil
	})
	return seconds, err
}

// step times n training steps of a copy of the teacher, after one to warm up, and gives the losses of all.
func (h *here) step(n int, precision torch.DType) (seconds, losses []float64, err error) {
	net, err := model.Share(h.networks["teacher"])
	if err != nil {
		return nil, nil, err
	}
	defer net.Store().Free()
	if err := net.Store().Own(torch.Float32); err != nil {
		return nil, nil, err
	}
	return h.train(net, n, precision, false)
}

// train is step of a network itself; again: blocks are computed a second time in backward.
func (h *here) train(net model.Network, n int, precision torch.DType, again bool) (seconds, losses []float64, err error) {
	var start time.Time
	o := distillation.Options{Steps: n + 1, LR: learningRate, WeightDecay: weightDecay, Clip: clip, Precision: precision, Recompute: again, Device: h.on,
		Progress: func(step int, loss float64) {
			h.on.Synchronize()
			if losses = append(losses, loss); step > 1 {
				seconds = append(seconds, time.Since(start).Seconds())
			}
		}}
	_, err = distillation.Train(context.Background(), net.Store().Tensors(), o, func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
		start = time.Now()
		b, err := h.pack(at.Step)
		if err != nil {
			return nil, err
		}
		var logits *torch.Tensor
		cast(func() { logits = net.Logits(b) })
		return distillation.CrossEntropy(logits, b.Targets), nil
	})
	return seconds, losses, err
}

// importance times n passes over the batches that score every unit of the teacher by its gradient.
func (h *here) importance(n int) (seconds []float64, scores pruning.Scores, err error) {
	net := h.networks["teacher"]
	sample := pruning.Sample{Batches: h.batches, Batch: h.pack,
		Loss: func(_ int, b *model.Batch, logits *torch.Tensor) *torch.Tensor {
			return distillation.CrossEntropy(logits, b.Targets)
		}}
	for range n {
		start := time.Now()
		scores, err = pruning.Importance(net, "gradient", axesOf(net, nn.Blocks, nn.Heads, nn.FFN, nn.Hidden), sample)
		if err != nil {
			return nil, nil, err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	return seconds, scores, nil
}

// answer times n greedy answers to one question each about so many pictures at a time, from bytes to token ids.
func (h *here) answer(n int, network string, first, batch int) (seconds []float64, answers [][]int, err error) {
	net := h.networks[network]
	for i := range n {
		var pixels []uint8
		questions := make([][]model.Question, batch)
		for k := range questions {
			a := h.askings[(first+i*batch+k)%len(h.askings)]
			pixels, questions[k] = append(pixels, a.pixels...), []model.Question{{Prompt: a.prompt}}
		}
		start := time.Now()
		err := torch.Run(func(*torch.Scope) error {
			ids, err := net.Generate(h.pre.Pictures(pixels, h.on), questions, model.GenerateOptions{MaxTokens: h.most, Ends: []int{h.eos}})
			for _, picture := range ids {
				answers = append(answers, picture[0])
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	return seconds, answers, nil
}

// logits are those of the scored positions of a batch.
func (h *here) logits(network string, batch int) (logits []float64, err error) {
	err = torch.Run(func(*torch.Scope) error {
		b, err := h.pack(batch)
		if err != nil {
			return err
		}
		torch.NoGrad(func() { logits = h.networks[network].Logits(b).Floats() })
		return nil
	})
	return logits, err
}
