package target

import (
	"espalier/pipeline/config"
	"espalier/torch/nn"
)

// fitHeads keeps heads whole where the width stays whole, and opens their size where the width alone is cut, for FitWidths to find
// one: transformers takes the size to be width / heads.
func fitHeads(s *space, c *config.Config, units []int) {
	cut := map[string]bool{} // of a tower and kind
	for i, v := range s.vars {
		cut[v.tower+string(v.kind)] = units[i] < v.most
	}
	for _, v := range s.vars {
		if v.kind != nn.KeySize || config.HeadRuleOf(s.teacher, v.tower) != config.SizeFromWidth {
			continue
		}
		for _, at := range v.stages {
			t := c.Stages[at].Keep.Of(v.tower)
			switch {
			case !cut[v.tower+string(nn.Hidden)]:
				t.Heads, t.HeadSize = config.Keep{}, config.Keep{}
			case !cut[v.tower+string(nn.Heads)] && !cut[v.tower+string(nn.KeySize)]:
				t.HeadSize = config.Keep{Units: max(1, v.most-v.step)} // any that is less: FitWidths finds the one
			}
		}
	}
}
