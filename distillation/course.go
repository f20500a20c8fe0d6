package distillation

// mostPoints is how many points a course has at the most.
const mostPoints = 120

// Course is how the loss of a training went: sums over neighbouring steps, in as many parts of the training as there are sums.
type Course struct {
	Steps  int       `json:"steps"` // of the whole training
	Sums   []float64 `json:"sums"`
	Counts []int     `json:"counts"` // losses in each sum
}

func newCourse(steps int) Course {
	n := max(0, min(steps, mostPoints))
	return Course{Steps: steps, Sums: make([]float64, n), Counts: make([]int, n)}
}

// add takes in the loss of a step, counted from 0. One that is no number says nothing.
func (c *Course) add(step int, loss float64) {
	at := step * len(c.Sums) / c.Steps
	if sum := c.Sums[at] + loss; finite(sum) {
		c.Sums[at] = sum
		c.Counts[at]++
	}
}

// whole tells whether it is one of a training of so many steps: what was read from a file may be anything.
func (c Course) whole(steps int) bool {
	n := len(newCourse(steps).Sums)
	return c.Steps == steps && len(c.Sums) == n && len(c.Counts) == n
}

// Point is a mean loss, and the middle of the steps that it is of.
type Point struct{ Step, Loss float64 }

// Points are the means in their order.
func (c Course) Points() (out []Point) {
	for i, n := range c.Counts {
		if n > 0 {
			out = append(out, Point{(float64(i) + .5) * float64(c.Steps) / float64(len(c.Counts)), c.Sums[i] / float64(n)})
		}
	}
	return out
}
