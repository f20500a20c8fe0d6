// Package teacher opens or trains the network that students are cut from.
package teacher

import (
	"cmp"
	"context"
	"fmt"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/network"
	"espalier/torch"
	"espalier/torch/nn"
)

// Teacher is a network to cut, and how it reads.
type Teacher struct {
	*network.Held
	Reading corpus.Reading
	Dtypes  model.Dtypes // of its weights
	Trained chain.Result // of the training; empty where a checkpoint was given

	head model.Network // the output head alone, once it was asked for
}

// Head maps hidden states to logits. It stays when the rest of the teacher is given back.
func (t *Teacher) Head() (func(*torch.Tensor) *torch.Tensor, error) {
	if t.head == nil {
		n, err := t.Take()
		if err != nil {
			return nil, err
		}
		t.keepHead(n)
	}
	return t.head.Head, nil
}

func (t *Teacher) keepHead(n model.Network) {
	if t.head != nil {
		t.head.Store().Free()
	}
	n.Store().FreeBut(n.HeadParams()...)
	t.head = n
}

// First is the student that the first stage starts from: the teacher's own memory. Of the teacher only the head is left then.
func (t *Teacher) First() *network.Held {
	return network.New(t.Print(), t.Declared(), nil, func() (model.Network, error) {
		n, err := t.Take()
		if err != nil {
			return nil, err
		}
		shared, err := model.Share(n)
		if err == nil {
			t.keepHead(n)
		}
		return shared, err
	})
}

// Free gives all memory back.
func (t *Teacher) Free() {
	t.Held.Free()
	if t.head != nil {
		t.head.Store().Free()
		t.head = nil
	}
}

// Options are what the teacher's room needs of a run.
type Options struct {
	Config *config.Config
	Set    *data.Dataset
	Device torch.Device
	Events event.Events
	Sum    func(path string) (string, error) // checksum of a file
}

// Open declares the teacher of a configuration, so that the run can be checked before anything is computed; weights are read
// or trained when they are first needed.
func Open(o Options) (*Teacher, error) {
	if o.Config.Teacher.Checkpoint != "" {
		return load(o, o.Config.Teacher.Checkpoint)
	}
	return declare(o)
}

// declare is the network of [teacher.train]; [Train] gives it its weights.
func declare(o Options) (*Teacher, error) {
	size := cmp.Or(o.Set.Size, o.Config.Data.Size) // data without pictures have no size, and a network that wants pictures is told so below
	c, err := o.Config.Teacher.Train.ModelConfig(size, o.Set.Tokenizer)
	if err != nil {
		return nil, err
	}
	if err := checkPictures(o, c, "the network of [teacher.train]"); err != nil {
		return nil, err
	}
	m, err := model.New(c)
	if err != nil {
		return nil, err
	}
	t := &Teacher{Held: network.New("", m, nil, nil), Dtypes: model.DtypesBy(m, func(*nn.Param) torch.DType { return torch.Float32 })}
	t.Reading, err = newReading(o, c)
	return t, err
}

// load takes a checkpoint folder with its own vocabulary.
func load(o Options, folder string) (*Teacher, error) {
	m, files, err := model.Open(folder)
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	defer files.Close()
	for _, note := range m.Notes() {
		o.Events.Note("%s", note)
	}
	t := &Teacher{Dtypes: model.DtypesBy(m, func(p *nn.Param) torch.DType {
		info, _ := files.Info(p.Name)
		return info.DType
	})}
	if t.Reading, err = keptReading(o, folder, m.Config()); err != nil {
		return nil, err
	}
	m.Config().Prompt = t.Reading.Words.Template // students take it over
	template := m.Config().Prompt
	open := func() (model.Network, error) {
		n, err := model.Load(folder, o.Device)
		if err != nil {
			return nil, err
		}
		n.Config().Prompt = template
		n.Store().SetRequiresGrad(false)
		return n, nil
	}
	t.Held = network.New(chain.Of([]any{t.Reading.Files, template}), m, nil, open)
	return t, t.takeHubForm(o)
}

// takeHubForm goes on with the teacher as transformers declares it, when the student is meant for transformers: so all
// figures are those of the files that it reads.
func (t *Teacher) takeHubForm(o Options) error {
	if o.Config.Export.Format != config.FormatTransformers {
		return nil
	}
	own := t.Held
	hub, err := own.Declared().(config.HubNetwork).ForHub()
	if err != nil || hub == own.Declared() {
		return err
	}
	o.Events.Note("export: the table of positions gets two rows of zeros in front, as transformers' OPT has them: %d parameters more, which nothing reads",
		hub.Store().Count()-own.Declared().Store().Count())
	t.Held = network.New(chain.Of([]any{own.Print(), config.FormatTransformers}), hub, nil, func() (model.Network, error) {
		n, err := own.Take()
		if err != nil {
			return nil, err
		}
		defer n.Store().Free()
		return n.(config.HubNetwork).ForHub()
	})
	return nil
}

// Fetch makes sure that the weights are there to be read: it trains the teacher of [teacher.train], or finds it. seconds is
// what that took.
func (t *Teacher) Fetch(ctx context.Context, c *chain.Chain, o Options, train *corpus.Corpus) (seconds float64, err error) {
	if o.Config.Teacher.Train == nil {
		return 0, nil
	}
	kept, err := Train(ctx, c, o, t.Declared().Config(), train)
	if err != nil {
		return 0, err
	}
	t.Trained = kept.Result
	n, _ := kept.Live.(model.Network) // nil where the result was found
	t.Held = network.New(kept.Print(), t.Declared(), n, func() (model.Network, error) {
		n, err := model.Load(kept.Folder, o.Device)
		if err != nil {
			return nil, fmt.Errorf("teacher: %w", err)
		}
		n.Store().SetRequiresGrad(false)
		return n, nil
	})
	return kept.Seconds, t.takeHubForm(o)
}
