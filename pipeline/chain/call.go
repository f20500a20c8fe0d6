package chain

import (
	"context"
	"encoding/json"

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
