package pipeline

import (
	"fmt"

	"espalier/model"
	"espalier/model/tokenizer"
)

// checkNetwork holds the stages and the export against the network that [teacher.train] describes: all of its sizes but the
// number of words stand in the file, and nothing here depends on that one.
func (c *Config) checkNetwork(t *configTable) {
	if c.Teacher.Train == nil || len(t.doc.faults) > 0 { // what follows from a wrong size is noise
		return
	}
	n, err := c.Teacher.Train.declare(c.Data.Size)
	if err != nil {
		t.fault("teacher.train", "%v", err)
		return
	}
	defer n.Store().Free()
	faults := c.keepFaults(n)
	for _, f := range faults {
		t.doc.add(fmt.Sprintf("stage[%d].%s", f.stage, f.key), fmt.Sprintf("stage[%d] %q: %s: %s", f.stage, c.Stages[f.stage].Name, f.key, f.text))
	}
	if len(faults) > 0 {
		return
	}
	if _, err := c.clone().fitExport(n); err != nil {
		t.doc.add("export.format", err.Error())
	}
}

// declare is the network without values, and with no words but the special ones.
func (t *TrainConfig) declare(pictureSize int) (model.Network, error) {
	tokens, err := tokenizer.BuildWordLevel(func(func(string) bool) {})
	if err != nil {
		return nil, err
	}
	c, err := t.modelConfig(pictureSize, tokens)
	if err != nil {
		return nil, err
	}
	return model.New(c)
}
