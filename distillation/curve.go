package distillation

// Point is a place of a training's curves. Loss and Norm, that of the gradients before they are clipped, are means over the steps
// since the point before; steps that were skipped are left out.
type Point struct {
	Step int     `json:"step"` // from 1
	Loss float64 `json:"loss"`
	LR   float64 `json:"learning_rate"`
	Norm float64 `json:"gradient_norm"`
}

// mostPoints is how many points a curve has at the most: more than a screen shows, and few enough to be kept with the result.
const mostPoints = 400

// curve collects the points of a training. It is a part of its state: a training that goes on has the whole curve.
type curve struct {
	Points []Point `json:"points,omitempty"`
	Loss   float64 `json:"loss,omitempty"` // summed up since the last point
	Norm   float64 `json:"norm,omitempty"`
	Taken  int     `json:"taken,omitempty"` // steps that these are of
}

// add adds a step of so many, and tells whether a point is complete.
func (c *curve) add(step, steps int, loss, rate, norm float64) bool {
	if finite(loss) && finite(norm) {
		c.Loss, c.Norm, c.Taken = c.Loss+loss, c.Norm+norm, c.Taken+1
	}
	every := (steps + mostPoints - 1) / mostPoints
	if c.Taken == 0 || step%every != 0 && step != steps {
		return false
	}
	n := float64(c.Taken)
	c.Points = append(c.Points, Point{step, c.Loss / n, rate, c.Norm / n})
	c.Loss, c.Norm, c.Taken = 0, 0, 0
	return true
}
