package stage

import (
	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/data"
	"espalier/torch"
)

// hiddenStates is the loss of hidden states of a distillation, and the teacher that it asks: it runs on each batch, since its
// states would take ten times the place of its outputs, some 12 GB for 12,000 pictures of BLIP-2. Nil stands for none.
type hiddenStates struct {
	in      distilInput
	teacher model.Network
	loss    *distillation.Hidden
}

func hiddenLoss(in distilInput, student model.Network) (*hiddenStates, error) {
	if in.Teacher == nil {
		return nil, nil
	}
	teacher, err := in.Teacher.Get()
	if err != nil {
		return nil, err
	}
	loss, err := distillation.NewHidden(in.Distil.HiddenForm, student, teacher, in.Units, in.Train.On)
	if err != nil {
		return nil, err
	}
	return &hiddenStates{in, teacher, loss}, nil
}

// share is the same for a worker.
func (h *hiddenStates) share() *hiddenStates {
	if h == nil {
		return nil
	}
	return &hiddenStates{h.in, h.teacher, h.loss.Share()}
}

// params are what is trained with the student.
func (h *hiddenStates) params() []*torch.Tensor {
	if h == nil {
		return nil
	}
	return h.loss.Params()
}

// add is a piece's loss with its part of the loss of hidden states.
func (h *hiddenStates) add(loss *torch.Tensor, student model.States, b *model.Batch, whole *data.Batch) *torch.Tensor {
	if h == nil {
		return loss
	}
	var teacher model.States
	torch.NoGrad(func() { teacher = h.teacher.States(b) })
	rows := distillation.HiddenRows{Pictures: len(whole.Index), Prefixes: len(whole.Index)}
	rows.Scored, _ = h.in.Train.Asked.Rows(whole.Index...)
	if f := h.teacher.Form(); f.Instruct || f.EncoderDecoder { // a row for each question
		rows.Prefixes = 0
		for _, p := range whole.Index {
			rows.Prefixes += len(h.in.Train.Asked.Questions[p])
		}
	}
	return loss.Add(h.loss.OfPiece(student, teacher, rows).MulScalar(h.in.Distil.Hidden))
}

func (h *hiddenStates) free() {
	if h != nil {
		h.loss.Free()
	}
}
