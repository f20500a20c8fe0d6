package distillation

// mostPoints is how many points a course has at the most: more than a plot shows, and few enough to be kept with the result.
const mostPoints = 200

// Course is how a training went: points over its steps. It is a part of a training's state, so that one that goes on has all of it.
type Course struct {
	Steps  int     `json:"steps"` // of the whole training
	Points []Point `json:"points,omitempty"`
	Loss   float64 `json:"loss,omitempty"` // summed up since the last point
	Norm   float64 `json:"norm,omitempty"`
	Taken  int     `json:"taken,omitempty"` // steps that these are of
}

// Point is a place of a course. Loss and Norm, that of the gradients before they are clipped, are means over the steps since the
// point before; where one of the two is no number, the step says nothing.
type Point struct {
	Step int     `json:"step"` // from 1
	Loss float64 `json:"loss"`
	LR   float64 `json:"learning_rate"`
	Norm float64 `json:"gradient_norm"`
}

// add takes in a step, counted from 1, and tells whether it has made a point complete.
func (c *Course) add(step int, loss, rate, norm float64) bool {
	if sum, norms := c.Loss+loss, c.Norm+norm; finite(sum) && finite(norms) {
		c.Loss, c.Norm, c.Taken = sum, norms, c.Taken+1
	}
	every := (c.Steps + mostPoints - 1) / mostPoints
	if c.Taken == 0 || step%every != 0 && step != c.Steps {
		return false
	}
	n := float64(c.Taken)
	c.Points = append(c.Points, Point{step, c.Loss / n, rate, c.Norm / n})
	c.Loss, c.Norm, c.Taken = 0, 0, 0
	return true
}
