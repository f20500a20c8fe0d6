package teacher

import (
	"context"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/torch"
)

// Complete fills the missing answers of the training data in with the teacher's own words. It tells how many there were.
func (t *Teacher) Complete(ctx context.Context, c *chain.Chain, train *corpus.Corpus, batch, maxTokens int) (n int, err error) {
	if !train.Asked.Lacks() {
		return 0, nil
	}
	kept, err := chain.Do(ctx, c, chain.Place{At: "teacher/missing answers", Phase: event.Phase{Stage: "teacher", Name: "missing answers"}}, missingStep,
		missingInput{t.Held, train, batch, maxTokens})
	if err != nil {
		return 0, err
	}
	train.Complete(kept.Value)
	return len(kept.Value), nil
}

type missingInput struct {
	Network   *network.Held
	Train     *corpus.Corpus
	Batch     int
	MaxTokens int
}

var missingStep = chain.Step[missingInput, [][]int]{Name: "missing", Compute: func(ctx context.Context, w *chain.Work, in missingInput) ([][]int, error) {
	n, err := in.Network.Get()
	if err != nil {
		return nil, err
	}
	return in.Train.Missing(ctx, w, n, in.Batch, in.MaxTokens)
}}

// Outputs are what the losses need of the teacher, for every training picture.
type Outputs struct {
	chain.Result
	teacher *Teacher
	tokens  []int // those of a student with fewer; nil for all
}

// Over are the outputs for a student that has only these of the teacher's tokens.
func (o *Outputs) Over(tokens []int) *Outputs { return &Outputs{o.Result, o.teacher, tokens} }

// Print is that of the file, and of what is read of it.
func (o *Outputs) Print() chain.Print {
	if o.tokens == nil {
		return o.Result.Print()
	}
	return chain.Of([]any{o.Result.Print(), o.tokens})
}

// Open opens the file. Where it holds hidden states, the teacher's head stays in memory from then on.
func (o *Outputs) Open() (*distillation.Outputs, error) {
	out, err := distillation.OpenOutputs(o.Folder, o.teacher.Head)
	if err == nil && o.tokens != nil {
		out.Keep(o.tokens)
	}
	return out, err
}

type outputsInput struct {
	Network *network.Held
	Train   *corpus.Corpus
	Form    distillation.OutputForm
	Batch   int
}

var outputsStep = chain.Step[outputsInput, struct{}]{Name: "outputs", Compute: writeOutputs}

// Outputs computes the teacher's outputs on the training split, or finds them.
func (t *Teacher) Outputs(ctx context.Context, c *chain.Chain, train *corpus.Corpus, form distillation.OutputForm, batch int) (*Outputs, error) {
	kept, err := chain.Do(ctx, c, chain.Place{At: "teacher/outputs", Phase: event.Phase{Stage: "teacher", Name: "outputs"}}, outputsStep,
		outputsInput{t.Held, train, form, batch})
	return &Outputs{Result: kept.Result, teacher: t}, err
}

func writeOutputs(ctx context.Context, w *chain.Work, in outputsInput) (none struct{}, err error) {
	n, err := in.Network.Get()
	if err != nil {
		return none, err
	}
	folder, err := w.Folder()
	if err != nil {
		return none, err
	}
	keep := distillation.Keep{Folder: w.State(), Every: w.KeepEvery}
	return none, distillation.WriteOutputs(folder, n, in.Form, w.Pieces("teacher outputs", in.Batch), keep, func(text string) { w.Events.Note("teacher outputs: %s", text) }, func(from int, yield func(*model.Batch) error) error {
		return in.Train.EachOf(ctx, data.Sequence(from, in.Train.Split.Len()), in.Batch, func(b *data.Batch) error {
			return torch.Run(func(*torch.Scope) error {
				packed, err := in.Train.Batch(b.Index, b.Pixels)
				if err != nil {
					return err
				}
				w.Events.Emit(in.Train.Progress(b))
				return yield(packed)
			})
		})
	})
}
