package truth

import (
	"context"
	"fmt"
	"slices"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/random"
	"espalier/torch"
	"espalier/torch/nn"
)

// Kinds are those of axis whose units are taken away: all that a run scores.
var Kinds = []nn.Kind{nn.Blocks, nn.Heads, nn.KeySize, nn.ValueSize, nn.FFN, nn.Hidden, nn.Queries}

// picked is a unit to take away.
type picked struct {
	axis *nn.Axis
	unit int
}

// pick draws some units of each axis. An axis of a single unit ranks nothing.
func pick(n model.Network, most, seed int) (out []picked) {
	for _, a := range config.AxesOf(Kinds, n) {
		if a.Units() < 2 {
			continue
		}
		units := data.Order(a.Units(), random.Stream(seed, "truth", "units", a.Name), 0)
		units = units[:min(most, len(units))]
		slices.Sort(units)
		for _, u := range units {
			out = append(out, picked{a, u})
		}
	}
	return out
}

// takeAway asks a network whole, and without each unit alone. It does so in float64: one unit of hundreds moves the loss by less than
// float32 rounds it.
func takeAway(ctx context.Context, n model.Network, units []picked, asked *questions, events event.Events) (whole []heard, without [][]heard, err error) {
	on := n.Store().Params()[0].T().Device()
	wide, err := model.Convert(n, torch.Float64, on)
	if err != nil {
		return nil, nil, err
	}
	defer wide.Store().Free()
	if whole, err = asked.of(wide); err != nil {
		return nil, nil, err
	}
	events.Emit(event.Phase{Name: "remove"})
	for i, u := range units {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		err := torch.Run(func(*torch.Scope) error {
			mask(wide, u.axis.Name, u.unit)
			defer wide.Store().SetGates(nil)
			answers, err := asked.of(wide)
			without = append(without, answers)
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("truth: without unit %d of %s: %w", u.unit, u.axis.Name, err)
		}
		events.Emit(event.Progress{Done: i + 1, Total: len(units), Unit: "units"})
	}
	return whole, without, nil
}

// mask sets the gate of an axis so that the network computes as if some units were cut (pruning.Verify proves that for a run's cuts).
// The gate lives in the current scope.
func mask(n model.Network, axis string, units ...int) {
	a := n.Store().Axis(axis)
	gate := slices.Repeat([]float64{1}, a.Units())
	for _, u := range units {
		gate[u] = 0
	}
	n.Store().SetGates(map[string]*torch.Tensor{axis: torch.From(gate, n.Store().Params()[0].T().Device())})
}
