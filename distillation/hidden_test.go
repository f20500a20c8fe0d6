package distillation_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// cutStates are a teacher and a student without values that has every fourth of its dimensions and three of its query tokens, as
// in testdata/make_losses.py, and these units.
func cutStates(t *testing.T) (teacher, student model.Network, units map[string][]int) {
	t.Helper()
	teacher, units = modeltest.Family(t, "blip2_opt"), map[string][]int{}
	keep := map[*nn.Axis][]int{}
	for _, a := range teacher.Store().Axes() {
		from := map[string]int{"vision": 1, "language": 0}
		switch first, ok := from[a.Tower]; {
		case a.Kind == nn.Queries:
			keep[a] = []int{0, 1, 3}
		case a.Kind == nn.Hidden && ok:
			for u := first; u < a.Units(); u += 4 {
				keep[a] = append(keep[a], u)
			}
		default:
			continue
		}
		units[a.Name] = keep[a]
	}
	student, err := teacher.Rebuild(teacher.Store().Cut(keep).Structure)
	require.NoError(t, err)
	return teacher, student, units
}

// The loss of hidden states and its gradients equal their definition in PyTorch.
func TestHiddenLossEqualsPyTorch(t *testing.T) {
	torchtest.Setup(t)
	teacher, student, units := cutStates(t)
	for _, form := range []string{"projection", "kept"} {
		h, err := distillation.NewHidden(form, student, teacher, units, torch.CPU)
		require.NoError(t, err)
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			golden := torchtest.Golden(t, "testdata/losses.safetensors")
			own := func(part string) *torch.Tensor { return golden["student."+part].SetRequiresGrad(true) }
			s := model.States{Vision: own("vision"), Prefix: own("prefix"), Hidden: own("hidden")}
			for _, m := range h.Params() {
				m.SetRequiresGrad(true)
			}
			loss := h.OfPiece(s, model.States{Vision: golden["teacher.vision"], Prefix: golden["teacher.prefix"], Hidden: golden["teacher.hidden"]},
				distillation.HiddenRows{Pictures: 2, Prefixes: 2, Scored: 5})
			loss.Backward()
			assert.InDelta(t, golden["hidden."+form].Item(), loss.Item(), 1e-9, form)
			for part, x := range map[string]*torch.Tensor{"vision": s.Vision, "prefix": s.Prefix, "hidden": s.Hidden} {
				torchtest.Within(t, golden["hidden."+form+"."+part], x.Grad(), 1e-9, 0, form, part)
			}
			for i, m := range h.Params() {
				torchtest.Within(t, golden["hidden."+form+".maps."+string(rune('0'+i))], m.Grad(), torchtest.Tolerance(torch.Float32), 0, form)
			}
			assert.Equal(t, form == "projection", len(h.Params()) == 3)
			return nil
		}))
		h.Free()
	}
}

// A language model whose embeddings have a width of their own hands that on, which no cut changes: where its hidden width is cut, the loss
// is 0 between equal states in either form, and a third of (3 − 1)² where one of the three parts is three times the teacher's.
func TestHiddenLossOfEmbeddingsOfTheirOwnWidth(t *testing.T) {
	torchtest.Setup(t)
	teacher := modeltest.Family(t, "blip2_opt_wide") // 40 wide, embeddings 28
	axis, kept := teacher.Store().Axis("language_model.hidden"), []int{3, 0, 7, 9}
	student, err := teacher.Rebuild(teacher.Store().Cut(map[*nn.Axis][]int{axis: kept}).Structure)
	require.NoError(t, err)
	for _, form := range []string{"projection", "kept"} {
		h, err := distillation.NewHidden(form, student, teacher, map[string][]int{axis.Name: kept}, torch.CPU)
		require.NoError(t, err)
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			b, err := modeltest.Ask(teacher)()
			if err != nil {
				return err
			}
			states := teacher.States(b)
			whole := distillation.HiddenRows{Pictures: states.Vision.Size(0), Prefixes: states.Prefix.Size(0), Scored: states.Hidden.Size(0)}
			assert.Zero(t, h.OfPiece(states, states, whole).Item(), form)
			off := states
			off.Hidden = off.Hidden.MulScalar(3)
			assert.InDelta(t, 4./3, h.OfPiece(off, states, whole).Item(), 1e-6, form)
			return nil
		}))
		h.Free()
	}
}

// A student whose dimensions are not known to be the teacher's is refused, and so is an unknown form.
func TestHiddenLossOfUnknownDimensions(t *testing.T) {
	torchtest.Setup(t)
	teacher, student, units := cutStates(t)
	_, err := distillation.NewHidden("kep", student, teacher, units, torch.CPU)
	require.ErrorContains(t, err, `unknown form "kep"`)
	delete(units, "vision_model.hidden")
	_, err = distillation.NewHidden("kept", student, teacher, units, torch.CPU)
	require.ErrorContains(t, err, "which of the teacher's 32 units of vision_model.hidden the student's 8 are")
}
