//go:build cgotorch

// Modules of gotorch's, handed over by torch/gotorch. These tests link build/lib/libcgotorch.so; torch/gotorch/linktest
// runs them where it is there.

package pruning_test

import (
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	theirs "github.com/wangkuiyi/gotorch"
	theirnn "github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"

	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/gotorch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// net is a convolutional classifier of gotorch's layers, with a gate point for each axis.
type net struct {
	theirnn.Module
	Conv   *theirnn.Conv2dModule
	Norm   *theirnn.BatchNorm2dModule
	FC1    *theirnn.LinearModule
	FC2    *theirnn.LinearModule
	Axes   map[string]*nn.Axis
	NoGate bool
}

const side = 4 // of the pictures, and of the convolution's output

func newNet(channels, hidden int64) *net {
	m := &net{Conv: theirnn.Conv2d(1, channels, 3, 1, 1, 1, 1, true, "zeros"), Norm: theirnn.BatchNorm2d(channels, 1e-5, .1, true, true),
		FC1: theirnn.Linear(channels*side*side, hidden, true), FC2: theirnn.Linear(hidden, 3, true)}
	m.Init(m)
	return m
}

func (m *net) Forward(x theirs.Tensor) theirs.Tensor {
	x = F.Relu(m.Norm.Forward(m.Conv.Forward(x)), false)
	if !m.NoGate {
		x = gotorch.Gated(m.Axes["net.channels"], x, 1)
	}
	x = theirs.Flatten(x, 1, 3)
	return m.FC2.Forward(gotorch.Gated(m.Axes["net.hidden"], theirs.Tanh(m.FC1.Forward(x)), 1))
}

// declareNet gives the order in which the first linear layer reads channels and places.
func declareNet(flat func(channels *nn.Axis) nn.Dim) func(*nn.Builder) {
	return func(b *nn.Builder) {
		b = b.Sub("net")
		channels, hidden := b.Axis("channels", nn.Channels, 6), b.Axis("hidden", nn.FFN, 10)
		gotorch.Conv2d(b, "Conv", channels.Dim(), nn.Fixed(1), 3, true)
		gotorch.BatchNorm2d(b, "Norm", channels.Dim())
		gotorch.Linear(b, "FC1", hidden.Dim(), flat(channels), true)
		gotorch.Linear(b, "FC2", nn.Fixed(3), hidden.Dim(), true)
	}
}

func rightOrder(c *nn.Axis) nn.Dim { return nn.Mul(c, side*side) }

// collectBetween lets Go's collector work only where a test asks for it: see torch/gotorch on who frees.
func collectBetween(t *testing.T) {
	percent := debug.SetGCPercent(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent) })
}

// adoptNet is a module whose norm has seen some pictures, and its store.
func adoptNet(t *testing.T, declare func(*nn.Builder)) (*net, *nn.Store) {
	t.Helper()
	collectBetween(t)
	initializer.ManualSeed(1)
	m := newNet(6, 10)
	m.Train(true)
	m.Forward(theirs.RandN([]int64{8, 1, side, side}, false))
	m.Train(false)
	s, err := gotorch.Adopt(m, declare)
	require.NoError(t, err)
	m.Axes = map[string]*nn.Axis{}
	for _, a := range s.Axes() {
		m.Axes[a.Name] = a
	}
	return m, s
}

var cpu = theirs.NewDevice("cpu")

// prove slices by a plan, hands the result to a new module and compares it with the gated one in float64.
func prove(t *testing.T, m *net, s *nn.Store, declare func(*nn.Builder), plan pruning.Plan) (diff float64, err error) {
	t.Helper()
	cut, err := pruning.Slice(s, plan, declare)
	require.NoError(t, err)
	defer cut.Free()
	small := newNet(int64(cut.Axis("net.channels").Units()), int64(cut.Axis("net.hidden").Units()))
	require.NoError(t, gotorch.Fill(small, cut))
	small.Train(false)
	m.To(cpu, theirs.Double)
	small.To(cpu, theirs.Double)
	defer m.To(cpu, theirs.Float)
	x := theirs.RandN([]int64{5, 1, side, side}, false).CastTo(theirs.Double)
	diff, err = pruning.Prove(s, cut, plan, func() *torch.Tensor { return gotorch.From(m.Forward(x)) },
		func() *torch.Tensor { return gotorch.From(small.Forward(x)) })
	runtime.KeepAlive(x)
	return diff, err
}

func keep(r *rand.Rand, units int) []int {
	kept := r.Perm(units)[:1+r.IntN(units)]
	slices.Sort(kept)
	return kept
}

func TestGotorchSliceEqualsMask(t *testing.T) {
	torchtest.Setup(t)
	declare := declareNet(rightOrder)
	m, s := adoptNet(t, declare)
	defer s.Free()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		plan := pruning.Plan{Keep: map[string][]int{"net.channels": keep(r, 6), "net.hidden": keep(r, 10)}}
		diff, err := prove(t, m, s, declare, plan)
		require.NoError(t, err, "plan %d: %v", i, plan)
		require.LessOrEqual(t, diff, pruning.Tolerance)
	}
	assert.Equal(t, torch.Float32, s.Param("net.FC1.Weight").T().DType())
}

func TestGotorchWrongCutsAreRefused(t *testing.T) {
	torchtest.Setup(t)
	plan := pruning.Plan{Keep: map[string][]int{"net.channels": {1, 2, 5}, "net.hidden": {0, 3, 4, 9}}}
	wrong := declareNet(func(c *nn.Axis) nn.Dim { return nn.Mul(side*side, c) })
	m, s := adoptNet(t, wrong)
	_, err := prove(t, m, s, wrong, plan)
	var e *pruning.VerifyError
	require.ErrorAs(t, err, &e, "the linear layer reads places within channels, not channels within places")
	s.Free()

	declare := declareNet(rightOrder)
	m, s = adoptNet(t, declare)
	m.NoGate = true
	_, err = prove(t, m, s, declare, plan)
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "has the forward a gate point for every axis of the plan?")
	s.Free()

	m, s = adoptNet(t, declare)
	_, err = pruning.Prove(s, s, plan, func() *torch.Tensor { return gotorch.From(m.Forward(theirs.RandN([]int64{1, 1, side, side}, false))) },
		func() *torch.Tensor { return gotorch.From(m.Forward(theirs.RandN([]int64{1, 1, side, side}, false))) })
	require.ErrorContains(t, err, "a proof needs both networks and their inputs in float64")
	_, err = pruning.Slice(s, plan, func(b *nn.Builder) {
		b = b.Sub("net")
		c, h := b.Axis("channels", nn.Channels, 6), b.Axis("hidden", nn.FFN, 10)
		gotorch.Conv2d(b, "Conv", c.Dim(), nn.Fixed(1), 3, true)
		gotorch.BatchNorm2d(b, "Norm", c.Dim())
		gotorch.Linear(b, "FC1", h.Dim(), nn.Mul(c, side*side), true)
		gotorch.Linear(b, "FC2", nn.Fixed(3), nn.Fixed(10), true)
	})
	require.ErrorContains(t, err, "net.FC2.Weight (dimension 1) still has 10, as net.hidden had before the cut")
	s.Free()
}

// mlp is the same network twice: by gotorch's layers and by ours.
type mlp struct {
	theirnn.Module
	FC1, FC2 *theirnn.LinearModule
}

func (m *mlp) Forward(x theirs.Tensor) theirs.Tensor {
	return m.FC2.Forward(theirs.Relu(m.FC1.Forward(x)))
}

func TestGotorchScoresEqualOurs(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		collectBetween(t)
		initializer.ManualSeed(2)
		m := &mlp{FC1: theirnn.Linear(5, 12, true), FC2: theirnn.Linear(12, 3, true)}
		m.Init(m)
		m.To(cpu, theirs.Double)
		adopted, err := gotorch.Adopt(m, func(b *nn.Builder) {
			b = b.Sub("mlp")
			h := b.Axis("hidden", nn.FFN, 12)
			gotorch.Linear(b, "FC1", h.Dim(), nn.Fixed(5), true)
			gotorch.Linear(b, "FC2", nn.Fixed(3), h.Dim(), true)
		})
		require.NoError(t, err)
		defer adopted.Free()
		var fc1, fc2 *nn.Linear
		own, err := nn.Declare(nil, func(b *nn.Builder) {
			h := b.Axis("mlp.hidden", nn.FFN, 12)
			fc1 = b.Linear("fc1", h.Dim(), nn.Fixed(5), nn.Zeros)
			fc2 = b.Linear("fc2", nn.Fixed(3), h.Dim(), nn.Zeros)
		})
		require.NoError(t, err)
		defer own.Free()
		for i, p := range own.Params() {
			p.Set(adopted.Params()[i].T().Detach().Clone())
		}
		x := []*torch.Tensor{torch.NewGenerator(3).Randn(7, 5).To(torch.Float64), torch.NewGenerator(4).Randn(7, 5).To(torch.Float64)}
		y := torch.FromInts([]int{0, 1, 2, 2, 1, 0, 0}, torch.CPU)
		objective := func(forward func(*torch.Tensor) *torch.Tensor) pruning.Objective {
			return pruning.Objective{Batches: 2, Seed: 5, Loss: func(i int) (*torch.Tensor, error) { return forward(x[i]).CrossEntropy(y), nil }}
		}
		theirForward := objective(func(x *torch.Tensor) *torch.Tensor { return gotorch.From(m.Forward(gotorch.To(x))) })
		ourForward := objective(func(x *torch.Tensor) *torch.Tensor { return fc2.Forward(fc1.Forward(x).ReLU()) })
		for _, criterion := range []string{"gradient", "taylor", "taylor-vector", "magnitude", "random"} {
			got, err := pruning.Score(adopted, criterion, adopted.Axes(), theirForward)
			require.NoError(t, err)
			want, err := pruning.Score(own, criterion, own.Axes(), ourForward)
			require.NoError(t, err)
			largest := slices.Max(want["mlp.hidden"])
			require.Positive(t, largest)
			assert.InDeltaSlice(t, want["mlp.hidden"], got["mlp.hidden"], torchtest.Alike*largest, criterion)
		}
		require.True(t, adopted.Params()[0].T().RequiresGrad(), "as before the scores")
		_, err = pruning.Score(adopted, "taylor-sample", adopted.Axes(), theirForward)
		require.ErrorContains(t, err, "looks inside a forward")
		loss, err := theirForward.Loss(0)
		require.NoError(t, err)
		loss.Backward()
		_, err = pruning.Score(adopted, "taylor", adopted.Axes(), theirForward)
		require.ErrorContains(t, err, "mlp.FC1.Weight has a gradient left from training")
		for _, p := range adopted.Params() {
			p.T().SetGrad(nil)
		}
	})
}

// A sliced module that owns its memory is trained without touching the original.
func TestGotorchTrainsWhatIsLeft(t *testing.T) {
	torchtest.Setup(t)
	declare := declareNet(rightOrder)
	m, s := adoptNet(t, declare)
	defer s.Free()
	cut, err := pruning.Slice(s, pruning.Plan{Keep: map[string][]int{"net.hidden": {1, 2}}}, declare)
	require.NoError(t, err)
	defer cut.Free()
	require.Equal(t, s.Param("net.Conv.Weight").T().DataPointer(), cut.Param("net.Conv.Weight").T().DataPointer(), "not cut, so shared")
	require.NoError(t, cut.Own(torch.Float32))
	small := newNet(6, 2)
	require.NoError(t, gotorch.Fill(small, cut))
	before, x := m.Conv.Weight.String(), theirs.RandN([]int64{5, 1, side, side}, false)
	optimizer := theirs.SGD(.5, 0, 0, 0, false)
	optimizer.AddParameters(small.Parameters())
	first := small.Conv.Weight.String()
	loss := small.Forward(x).Sum()
	loss.Backward()
	optimizer.Step()
	require.NotEqual(t, first, small.Conv.Weight.String())
	require.Equal(t, before, m.Conv.Weight.String())
	runtime.KeepAlive(loss)
}
