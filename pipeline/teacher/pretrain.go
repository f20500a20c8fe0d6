package teacher

import (
	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/torch"
	"espalier/torch/nn"
)

// pretraining is the throw-away heads: one linear map of all the vision tower's tokens, and one of all the Q-Former's,
// to the first words of the answer to each task. Without them a network trained from scratch stays for long on a plateau
// where the language model asks nothing of the picture.
type pretraining struct {
	train           *corpus.Corpus
	m               *model.Blip2
	store           *nn.Store
	vision, qformer *nn.Linear
	tasks           map[string]int
}

const (
	pretrainWords = 3  // words of an answer that the heads predict
	visionShrink  = 6  // the heads' inputs are divided by these: thousands of unit inputs make Adam's first
	qformerShrink = 3  // steps far too long
	pretrainGain  = 3  // weight of the heads' losses while the language model rests
	pretrainEnd   = .7 // share of the steps after which the heads have faded out
)

func newPretraining(m *model.Blip2, train *corpus.Corpus, tasks []string) (*pretraining, error) {
	p := &pretraining{train: train, m: m, tasks: map[string]int{}}
	for i, task := range tasks {
		p.tasks[task] = i
	}
	if len(p.tasks) > 0 && train.Split.Count(func(q data.Question) bool { return q.Task == "" }) > 0 { // else they would be taken for the first task's
		p.tasks[""] = len(tasks)
	}
	slots, vision, qformer := headSizes(m.Config(), len(p.tasks))
	store, err := nn.Declare(nil, func(b *nn.Builder) {
		p.vision = b.Linear("vision", nn.Fixed(slots), nn.Fixed(vision), nn.Zeros)
		p.qformer = b.Linear("qformer", nn.Fixed(slots), nn.Fixed(qformer), nn.Zeros)
	})
	if err != nil {
		return nil, err
	}
	p.store = store
	return p, store.Init(0, train.On)
}

// headSizes are the outputs of both heads, and the inputs of each.
func headSizes(c *model.Config, tasks int) (slots, vision, qformer int) {
	side := c.Vision.Image / c.Vision.Patch
	return max(1, tasks) * pretrainWords * c.Text.Vocabulary, c.Vision.Hidden * (1 + side*side), c.QFormer.Hidden * c.Queries
}

// HeadElements is how many numbers the throw-away heads hold, for the memory that a training needs.
func HeadElements(c *model.Config, tasks int) int64 {
	if !c.Towers() {
		return 0
	}
	slots, vision, qformer := headSizes(c, tasks)
	return int64(slots) * int64(vision+qformer+2)
}

// loss is that of a step, or what a piece of its batch adds: the language model rests during the first ones, the heads fade out
// later.
func (p *pretraining) loss(step, rest, steps int, b, whole *data.Batch, cast func(func())) (*torch.Tensor, error) {
	packed, err := p.train.Batch(b.Index, b.Pixels)
	if err != nil {
		return nil, err
	}
	at, words := p.slots(b.Index)
	fading := len(at) > 0 && float64(step) < pretrainEnd*float64(steps)
	resting := step < rest
	if resting && !fading {
		return nil, nil
	}
	var vision, qformer, logits *torch.Tensor
	cast(func() {
		x := p.m.Vision(packed.Pictures)
		q := p.m.QFormer(x)
		if !resting {
			logits = p.m.Head(p.m.HiddenAfter(p.m.Project(q), packed))
		}
		if fading {
			vision = p.vision.Forward(x.Flatten(1, 2).MulScalar(1. / visionShrink))
			qformer = p.qformer.Forward(q.Flatten(1, 2).MulScalar(1. / qformerShrink))
		}
	})
	loss := torch.Zeros(nil, torch.Float32, p.train.On)
	if logits != nil {
		loss = loss.Add(answersLoss(p.train, logits, packed, whole))
	}
	if fading {
		weight := float64(pretrainGain)
		if !resting {
			weight = 1 - float64(step)/(pretrainEnd*float64(steps))
		}
		all, _ := p.slots(whole.Index)
		weight *= float64(len(at)) / float64(len(all))
		rows, targets := torch.FromInts(at, p.train.On), torch.FromInts(words, p.train.On)
		both := p.words(vision, rows, targets).Add(p.words(qformer, rows, targets))
		loss = loss.Add(both.MulScalar(weight))
	}
	return loss, nil
}

// words is the cross entropy of a head's output [batch, tasks·words·vocabulary] at the asked slots.
func (p *pretraining) words(out, rows, targets *torch.Tensor) *torch.Tensor {
	logits := out.Reshape(-1, p.m.Config().Text.Vocabulary).IndexSelect(0, rows)
	return distillation.CrossEntropy(logits, targets)
}

// slots are those of the first words of each picture's answers, and the words. Of two questions of one task the first counts.
func (p *pretraining) slots(pictures []int) (at, words []int) {
	slots := max(1, len(p.tasks)) * pretrainWords
	for i, picture := range pictures {
		seen := map[int]bool{}
		for j, q := range p.train.Split.Questions(picture) {
			task := p.tasks[q.Task]
			if seen[task] {
				continue
			}
			seen[task] = true
			answer := p.train.Asked.Questions[picture][j].Answer
			for k := range min(pretrainWords, len(answer)) {
				at, words = append(at, i*slots+task*pretrainWords+k), append(words, answer[k])
			}
		}
	}
	return at, words
}
