package teacher

import (
	"espalier/model"
	"espalier/pipeline/fault"
)

// checkPictures holds a network against the data: one with a vision tower needs pictures, and a decoder alone would not see them.
func checkPictures(o Options, c *model.Config, what string) error {
	first := o.Set.Train.Place(0, 0)
	switch {
	case c.Towers() && !o.Set.HasPictures():
		return fault.Inputf(`data: %s: the row has no "file_name" (no row has one), and %s looks at pictures: add the pictures, or take a decoder alone, `+
			"as [teacher.train] with language and without vision and qformer", first, what)
	case !c.Towers() && o.Set.HasPictures():
		return fault.Inputf(`data: %s: the question is about a picture, and %s is a decoder alone, which sees none: take a network with a vision tower, `+
			`or remove "file_name" from all rows`, first, what)
	}
	return nil
}
