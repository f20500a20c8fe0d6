package needs

import (
	"errors"

	"espalier/pipeline/config"
	"espalier/pipeline/fault"
)

// CheckBatches finds, before anything is trained, a batch that the training split cannot fill.
func CheckBatches(c *config.Config, pictures int) error {
	check := func(key string, batch int) error {
		if batch > pictures {
			return fault.Inputf("%s = %d is more than the %d training pictures; lower it", key, batch, pictures)
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
