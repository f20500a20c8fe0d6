package needs

import (
	"errors"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
)

// CheckBatches finds, before anything is trained, a batch that the training split cannot fill.
func CheckBatches(c *config.Config, set *data.Dataset) error {
	check := func(key string, batch int) error {
		if n := set.Train.Len(); batch > n {
			return fault.Inputf("%s = %d is more than the %d training %s; lower it", key, batch, n, set.Unit())
		}
		return nil
	}
	var faults []error
	if c.Teacher.Train != nil {
		faults = append(faults, check("teacher.train.batch", c.Teacher.Train.Batch))
	}
	for i, s := range c.Stages {
		faults = append(faults, check(c.Stages.Key(i)+".distil.batch", s.Distil.Batch))
	}
	return errors.Join(faults...)
}
