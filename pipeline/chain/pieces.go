package chain

import (
	"encoding/json"

	"espalier/torch"
)

// pieces are those that a step's batches were computed in, by what they are of.
type pieces map[string]*torch.Pieces

// grown leaves out what was never divided.
func (p pieces) grown() pieces {
	out := pieces{}
	for what, of := range p {
		if len(of.Grown) > 0 {
			out[what] = of
		}
	}
	return out
}

// MarshalJSON writes from which batch on there were how many pieces.
func (p pieces) MarshalJSON() ([]byte, error) {
	out := map[string][]torch.Growth{}
	for what, of := range p {
		out[what] = of.Grown
	}
	return json.Marshal(out)
}

// UnmarshalJSON is the reverse.
func (p *pieces) UnmarshalJSON(text []byte) error {
	var in map[string][]torch.Growth
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*p = pieces{}
	for what, grown := range in {
		(*p)[what] = &torch.Pieces{Grown: grown}
	}
	return nil
}
