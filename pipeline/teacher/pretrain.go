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
	words           headWords
	instruct        bool // the Q-Former has a row for each question
}

const (
	pretrainWords = 3  // words of an answer that the heads predict
	visionShrink  = 6  // the heads' inputs are divided by these: thousands of unit inputs make Adam's first
	qformerShrink = 3  // steps far too long
	pretrainGain  = 3  // weight of the heads' losses while the language model rests
	pretrainEnd   = .7 // share of the steps after which the heads have faded out, if the language model no longer rests
)

// headWords are what the heads have outputs for: at each place of a task's answers the tokens that stand there in some answer. The whole vocabulary at each
// place would be ten times the default job's network.
type headWords struct {
	count int           // outputs of a place, as many as the one with most tokens needs
	at    []map[int]int // by task · pretrainWords + place: the output of each token
}

func headWordsOf(train *corpus.Corpus, tasks map[string]int) headWords {
	w := headWords{count: 1}
	for range max(1, len(tasks)) * pretrainWords {
		w.at = append(w.at, map[int]int{})
	}
	for p, asked := range train.Asked.Questions {
		for j, q := range train.Split.Questions(p) {
			for k := range min(pretrainWords, len(asked[j].Answer)) {
				id, at := asked[j].Answer[k], w.at[tasks[q.Task]*pretrainWords+k]
				if _, known := at[id]; !known {
					at[id] = len(at)
				}
				w.count = max(w.count, len(at))
			}
		}
	}
	return w
}

func newPretraining(m *model.Blip2, train *corpus.Corpus, tasks []string) (*pretraining, error) {
	p := &pretraining{train: train, m: m, tasks: map[string]int{}, instruct: m.Form().Instruct}
	for i, task := range tasks {
		p.tasks[task] = i
	}
	if len(p.tasks) > 0 && train.Split.Count(func(q data.Question) bool { return q.Task == "" }) > 0 { // else they would be taken for the first task's
		p.tasks[""] = len(tasks)
	}
	p.words = headWordsOf(train, p.tasks)
	if err := p.declare(); err != nil {
		return nil, err
	}
	return p, p.store.Init(0, train.On)
}

func (p *pretraining) declare() (err error) {
	slots, vision, qformer := headSizes(p.m, p.words)
	p.store, err = nn.Declare(nil, func(b *nn.Builder) {
		p.vision = b.Linear("vision", nn.Fixed(slots), nn.Fixed(vision), nn.Zeros)
		p.qformer = b.Linear("qformer", nn.Fixed(slots), nn.Fixed(qformer), nn.Zeros)
	})
	return err
}

// share is the same heads, in the same memory, for a worker with a network of its own.
func (p *pretraining) share(m *model.Blip2) (*pretraining, error) {
	w := *p
	w.m = m
	if err := w.declare(); err != nil {
		return nil, err
	}
	return &w, w.store.Share(p.store)
}

// headSizes are the outputs of both heads, and the inputs of each: of a network with the structure of a student, not what its config
// says of the one that it was cut from.
func headSizes(n model.Network, words headWords) (slots, vision, qformer int) {
	c := n.Config()
	side := c.Vision.Image / c.Vision.Patch
	hidden, queries := map[string]int{}, 0
	for _, a := range n.Store().Axes() {
		switch a.Kind {
		case nn.Hidden:
			hidden[a.Tower] = a.Units()
		case nn.Queries:
			queries = a.Units()
		}
	}
	return len(words.at) * words.count, hidden["vision"] * (1 + side*side), hidden["qformer"] * queries
}

// HeadElements is how many numbers the throw-away heads hold, for the memory that a training needs.
func HeadElements(n model.Network, train *corpus.Corpus) int64 {
	if !n.Config().Towers() {
		return 0
	}
	tasks := map[string]int{}
	for p := range train.Asked.Questions {
		for _, q := range train.Split.Questions(p) {
			if _, known := tasks[q.Task]; !known {
				tasks[q.Task] = len(tasks)
			}
		}
	}
	slots, vision, qformer := headSizes(n, headWordsOf(train, tasks))
	return int64(slots) * int64(vision+qformer+2)
}

// loss is that of a step, or what a piece of its batch adds: the language model rests during the first ones, the heads fade out
// later.
func (p *pretraining) loss(step, rest, steps int, b, whole *data.Batch, cast func(func())) (*torch.Tensor, error) {
	packed, err := p.train.Batch(b.Index, b.Pixels)
	if err != nil {
		return nil, err
	}
	at, asked, words := p.slots(b.Index)
	end := max(float64(rest), pretrainEnd*float64(steps)) // before rest only the heads give a loss
	fading := len(at) > 0 && float64(step) < end
	resting := step < rest
	if resting && !fading {
		return nil, nil
	}
	var vision, qformer, logits *torch.Tensor
	cast(func() {
		x := p.m.Vision(packed.Pictures)
		q := p.m.Queried(x, packed)
		if !resting {
			logits = p.m.Head(p.m.HiddenAfter(p.m.PrefixOf(q, packed), packed))
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
			weight = 1 - float64(step)/end
		}
		all, _, _ := p.slots(whole.Index)
		weight *= float64(len(at)) / float64(len(all))
		targets := torch.FromInts(words, p.train.On)
		both := p.entropy(vision, torch.FromInts(at, p.train.On), targets).Add(p.entropy(qformer, torch.FromInts(asked, p.train.On), targets))
		loss = loss.Add(both.MulScalar(weight))
	}
	return loss, nil
}

// entropy is the cross entropy of a head's output [rows, tasks·places·tokens] at the asked slots.
func (p *pretraining) entropy(out, rows, targets *torch.Tensor) *torch.Tensor {
	logits := out.Reshape(-1, p.words.count).IndexSelect(0, rows)
	return distillation.CrossEntropy(logits, targets)
}

// slots are those of the first words of each picture's answers, and the words. Of two questions of one task the first counts.
// asked are the slots where the rows are those of the Q-Former, which has one for each question if it reads them.
func (p *pretraining) slots(pictures []int) (at, asked, words []int) {
	slots := max(1, len(p.tasks)) * pretrainWords
	rows := 0 // questions that have an answer so far
	for i, picture := range pictures {
		seen := map[int]bool{}
		for j, q := range p.train.Split.Questions(picture) {
			answer, task := p.train.Asked.Questions[picture][j].Answer, p.tasks[q.Task]
			row := i
			if p.instruct {
				row = rows
			}
			if answer != nil {
				rows++
			}
			if seen[task] {
				continue
			}
			seen[task] = true
			for k := range min(pretrainWords, len(answer)) {
				slot := task*pretrainWords + k
				at, asked, words = append(at, i*slots+slot), append(asked, row*slots+slot), append(words, p.words.at[slot][answer[k]])
			}
		}
	}
	return at, asked, words
}
