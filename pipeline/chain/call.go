package chain

import (
	"context"
	"encoding/json"
	"fmt"

	"espalier/pipeline/event"
)

// call is a step with its input.
type call struct {
	at, step            string
	phase               event.Phase
	own                 bool
	inputs, environment any
	fingerprint         Print  // of step, inputs and environment
	id                  string // the name of the result's folder
	compute             func(ctx context.Context, w *Work) (json.RawMessage, error)
	refused             error // of the places that could not keep its result
}

func newCall(place Place, step string, own bool, inputs, environment any) *call {
	print := Of(map[string]any{"step": step, "inputs": inputs, "environment": environment})
	return &call{at: place.At, phase: place.Phase, step: step, own: own, inputs: inputs, environment: environment,
		fingerprint: print, id: step + "-" + string(print[:32])}
}

// begin tells that the step is computed.
func (k *call) begin(events event.Events) {
	if k.phase.Name != "" {
		events.Emit(k.phase)
	}
}

// nowhere is the error of a result that no place could keep.
func (k *call) nowhere() error {
	return fmt.Errorf("chain: %s: its result can be kept nowhere: %w; free some space, or name another folder with store or output, and start again to go on from here", k.at, k.refused)
}
