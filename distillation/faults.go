package distillation

import (
	"fmt"
	"math"
)

// inARow is how many steps may be skipped one after another.
const inARow = 10

// Diverged says that too many losses or gradients were no numbers.
type Diverged struct {
	Step, Skipped int
	InARow        bool // the weights may be lost: another start with a smaller rate may help
	LR            float64
	Loss          float64
}

func (e *Diverged) Error() string {
	return fmt.Sprintf("%d steps were skipped until step %d, whose loss is %g at a rate of %.3g: the loss or its gradients are not finite numbers; "+
		"a smaller lr or a longer warmup helps", e.Skipped, e.Step, e.Loss, e.LR)
}

// skip counts a step that is not taken.
func (t *training) skip(loss, norm, rate float64, batch string) error {
	t.skipped++
	t.row++
	e := &Diverged{Step: t.step + 1, Skipped: t.skipped, InARow: t.row >= inARow, LR: rate, Loss: loss}
	if e.InARow || 10*t.skipped > t.o.Steps {
		return e
	}
	t.o.Note(fmt.Sprintf("step %d is skipped: its loss is %g, the norm of its gradients %g (%s, counted from 0)", t.step+1, loss, norm, batch))
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
