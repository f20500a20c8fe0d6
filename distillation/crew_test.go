package distillation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// line fits y = w·x to rows that pieces divide; at[w] hears what each worker was asked for.
type line struct {
	x, y   *torch.Tensor
	params []*torch.Tensor
}

func newLine(t *testing.T, rows int) *line {
	g := torch.NewGenerator(7)
	draw := func(shape ...int) (out *torch.Tensor) {
		require.NoError(t, torch.Run(func(s *torch.Scope) error {
			out = g.Randn(shape...).To(torch.Float64)
			s.Keep(out)
			return nil
		}))
		return out
	}
	l := &line{x: draw(rows, 5), y: draw(rows, 3), params: []*torch.Tensor{draw(3, 5), draw(3)}}
	t.Cleanup(func() {
		for _, p := range append(l.params, l.x, l.y) {
			p.Free()
		}
	})
	return l
}

// loss is that of parameters on the rows of a piece; a piece with no rows teaches nothing.
func (l *line) loss(w, b *torch.Tensor) distillation.LossAt {
	return func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
		n := l.x.Size(0)
		from, to := at.Piece*n/at.Pieces, (at.Piece+1)*n/at.Pieces
		if from == to {
			return nil, nil
		}
		d := l.x.Narrow(0, from, to-from).Linear(w, b).Sub(l.y.Narrow(0, from, to-from))
		return d.Mul(d).Sum().MulScalar(1 / float64(n)), nil
	}
}

// beside makes so many workers; what they hold is freed at the end of the test.
func (l *line) beside(t *testing.T, n int) (out []distillation.Worker) {
	for range n {
		w, b := l.params[0].Detach(), l.params[1].Detach()
		t.Cleanup(func() { w.Free(); b.Free() })
		out = append(out, distillation.Worker{Params: []*torch.Tensor{w, b}, Loss: l.loss(w, b)})
	}
	return out
}

// Workers that compute a batch's pieces at the same time end where one that computes all of it ends, with accumulation too, and where there are more of them
// than rows; twice the same to the last bit.
func TestWorkersTrainAsOneDoes(t *testing.T) {
	torchtest.Setup(t)
	for _, accumulate := range []int{1, 2} {
		var first []float64
		for _, workers := range []int{1, 2, 3, 3, 9} {
			l := newLine(t, 7)
			o := distillation.Options{Steps: 5, LR: .05, Clip: .5, WeightDecay: .1, Accumulate: accumulate, Beside: l.beside(t, workers-1), Threads: 1}
			var losses []float64
			o.Progress = func(_ int, loss float64) { losses = append(losses, loss) }
			require.NoError(t, second(distillation.Train(context.Background(), l.params, o, l.loss(l.params[0], l.params[1]))))
			got := append(append(losses, l.params[0].Floats()...), l.params[1].Floats()...)
			if first == nil {
				first = got
			}
			require.InDeltaSlice(t, first, got, 1e-12, "%d workers", workers)
			for _, w := range o.Beside {
				assert.Nil(t, w.Params[0].Grad())
				assert.False(t, w.Params[0].RequiresGrad(), "as before")
			}
		}
	}
	bits := func() []float64 {
		l := newLine(t, 64)
		o := distillation.Options{Steps: 20, LR: .05, Beside: l.beside(t, 3)}
		require.NoError(t, second(distillation.Train(context.Background(), l.params, o, l.loss(l.params[0], l.params[1]))))
		return l.params[0].Floats()
	}
	assert.Equal(t, bits(), bits())
}

// Each worker has a thread of the system of its own, with its own number of threads, and all of them are at work at once.
func TestWorkersWorkAtOnce(t *testing.T) {
	torchtest.Setup(t)
	const workers = 3
	l := newLine(t, 6)
	var all sync.WaitGroup
	all.Add(workers)
	threads := make([]int, workers)
	meeting := func(inner distillation.LossAt) distillation.LossAt {
		return func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
			threads[at.Piece] = torch.NumThreads()
			all.Done()
			all.Wait() // for ever, if one waited for another's end
			return inner(at, cast)
		}
	}
	o := distillation.Options{Steps: 1, LR: .1, Threads: 1, Beside: l.beside(t, workers-1)}
	for i := range o.Beside {
		o.Beside[i].Loss = meeting(o.Beside[i].Loss)
	}
	before := torch.NumThreads()
	torch.SetNumThreads(2)
	defer torch.SetNumThreads(before)
	require.NoError(t, second(distillation.Train(context.Background(), l.params, o, meeting(l.loss(l.params[0], l.params[1])))))
	assert.Equal(t, []int{1, 1, 1}, threads)
	assert.Equal(t, 2, torch.NumThreads(), "the caller's")
}

// What goes wrong with one worker is told as if it were alone: an error, a panic, and too little memory, for which the pieces become smaller.
func TestAWorkerThatFails(t *testing.T) {
	torchtest.Setup(t)
	train := func(l *line, pieces *torch.Pieces, instead func(distillation.LossAt) distillation.LossAt) error {
		o := distillation.Options{Steps: 2, LR: .1, Pieces: pieces, Beside: l.beside(t, 1)}
		o.Beside[0].Loss = instead(o.Beside[0].Loss)
		return second(distillation.Train(context.Background(), l.params, o, l.loss(l.params[0], l.params[1])))
	}
	l := newLine(t, 8)
	always := func(loss distillation.LossAt) func(distillation.LossAt) distillation.LossAt {
		return func(distillation.LossAt) distillation.LossAt { return loss }
	}
	err := train(l, nil, always(func(distillation.At, func(func())) (*torch.Tensor, error) { return nil, errors.New("no picture") }))
	assert.ErrorContains(t, err, "step 1: no picture")
	assert.PanicsWithValue(t, "torch: a panic of another kind", func() {
		defer func() {
			r := fmt.Sprint(recover())
			require.Contains(t, r, "crew_test.go", "it says where")
			panic("torch: " + r[:len("a panic of another kind")])
		}()
		train(l, nil, always(func(distillation.At, func(func())) (*torch.Tensor, error) { panic("a panic of another kind") }))
	})
	pieces := &torch.Pieces{Most: 4, What: "steps"}
	var asked []distillation.At
	l = newLine(t, 8)
	err = train(l, pieces, func(inner distillation.LossAt) distillation.LossAt {
		return func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
			asked = append(asked, at)
			if at.Pieces < 8 {
				return nil, &torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: "no room"}
			}
			return inner(at, cast)
		}
	})
	require.NoError(t, err)
	assert.Equal(t, []torch.Growth{{From: 0, Pieces: 2}, {From: 0, Pieces: 4}}, pieces.Grown)
	assert.Equal(t, distillation.At{Piece: 1, Pieces: 2}, asked[0])
	assert.Equal(t, distillation.At{Piece: 7, Pieces: 8}, asked[5])
}
