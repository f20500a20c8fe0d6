package config

import (
	"fmt"
	"slices"
	"strings"
)

// Candidate is a way to score units: a criterion, and the loss of those that take a gradient.
type Candidate struct{ Criterion, Loss string }

// String is the candidate as the key candidates has it.
func (c Candidate) String() string {
	if !slices.Contains(ScoredByGradient, c.Criterion) {
		return c.Criterion
	}
	return c.Criterion + "/" + c.Loss
}

// Own is the stage's own way to score.
func (s *StageConfig) Own() Candidate { return Candidate{s.Criterion, s.Loss} }

// BlocksOnly are the criteria that score whole blocks and nothing else.
var BlocksOnly = []string{"last", "cosine"}

// All short training of a stage's candidates takes a tenth of its steps together, since what it takes is missing later, but not less
// than fewestSteps each, which say too little of what more would show, and never more than a third (docs/decisions.md).
const (
	usualShare  = 10
	mostShare   = 3
	fewestSteps = 25
)

// usual are the candidates of a stage that names none: the ones that were best in at least one stage of our own runs, the
// better ones first.
var usual = []Candidate{{"taylor-sample", "margin"}, {"gradient", "cross-entropy"}, {"cosine", ""}, {"taylor-vector", "margin"}}

// Tried are the ways to score that a stage tries, its own one first, and for how many steps each; one alone is not tried.
func (s *StageConfig) Tried() (tried []Candidate, steps int) {
	tried = []Candidate{s.Own()}
	add := func(c Candidate) {
		if !slices.ContainsFunc(tried, func(t Candidate) bool { return t.String() == c.String() }) {
			tried = append(tried, c)
		}
	}
	if s.Candidates != nil {
		for _, text := range *s.Candidates {
			add(readCandidate(text, s.Loss))
		}
	} else {
		for _, c := range usual {
			if len(tried) < 3 && (s.Name == "blocks" && s.Keep.Queries.Whole() || !slices.Contains(BlocksOnly, c.Criterion)) {
				add(c)
			}
		}
	}
	steps = s.CandidateSteps
	if steps == 0 {
		steps = max(s.Distil.Steps/usualShare/len(tried), min(fewestSteps, s.Distil.Steps/mostShare/len(tried)))
	}
	if s.Candidates == nil && steps < fewestSteps && s.CandidateSteps == 0 {
		tried = tried[:1]
	}
	return tried, steps
}

// readCandidate reads an item of candidates; a criterion alone takes the stage's loss.
func readCandidate(text, own string) Candidate {
	criterion, loss, ok := strings.Cut(text, "/")
	if !ok {
		loss = own
	}
	return Candidate{criterion, loss}
}

// refuseCandidate is what is wrong with an item of candidates.
func refuseCandidate(text string) string {
	criterion, loss, given := strings.Cut(text, "/")
	if why := stageKey("criterion").refuseText(criterion); why != "" {
		return why
	}
	switch {
	case given && !slices.Contains(ScoredByGradient, criterion):
		return fmt.Sprintf("%q takes no loss: write %q", criterion, criterion)
	case given:
		return stageKey("loss").refuseText(loss)
	}
	return ""
}

func stageKey(name string) *key { return schema().key("stage").sub.key(name) }

// checkScores finds ways to score that do not suit the stage.
func (s *StageConfig) checkScores(t *table) {
	check := func(key string, c Candidate) {
		switch {
		case slices.Contains(BlocksOnly, c.Criterion) && s.Name != "blocks" && s.Name != "":
			t.fault(key, "%q scores whole blocks: a stage named %q needs another", c.Criterion, s.Name)
		case slices.Contains(BlocksOnly, c.Criterion) && !s.Keep.Queries.Whole():
			t.fault(key, `%q scores whole blocks: keep.queries needs another, or a stage "tokens" of its own`, c.Criterion)
		case c.Criterion == "activation" && !s.Keep.Queries.Whole():
			t.fault(key, "query tokens have no activations of their own: keep.queries needs another criterion than activation")
		// The first stage scores the teacher itself, whose KL from the teacher is zero wherever one looks.
		case t.index == 0 && c.Loss == "distillation" && s.Distil.Pair == 0 && s.Distil.CE == 0 && slices.Contains(ScoredByGradient, c.Criterion):
			t.fault(key, `"distillation" is KL alone here, and an uncut student's KL has no gradient: `+
				`set distil.pair or distil.ce above 0, or use "cross-entropy"`)
		}
	}
	if s.Candidates != nil {
		for _, text := range *s.Candidates {
			if why := refuseCandidate(text); why != "" {
				t.fault("candidates", "%s", why)
				return
			}
		}
	}
	own := s.Own()
	check(map[bool]string{true: "loss", false: "criterion"}[own.Loss == "distillation"], own)
	tried, steps := s.Tried()
	for _, c := range tried[1:] {
		check("candidates", c)
	}
	if n := len(tried); s.CandidateSteps > 0 && n > 1 && 2*n*steps > s.Distil.Steps {
		t.fault("candidate_steps", "%d candidates of %d steps are more than half of distil.steps = %d: lower it, or try fewer", n, steps, s.Distil.Steps)
	}
}

// Spend takes steps from a stage, for training that comes before it. Its candidates give way first: what both take stays within a third.
func (s *StageConfig) Spend(steps int) {
	tried, each := s.Tried()
	left := (s.Distil.Steps/mostShare - steps) / len(tried)
	if s.CandidateSteps == 0 && len(tried) > 1 {
		if s.CandidateSteps = min(each, left); s.CandidateSteps < fewestSteps {
			s.CandidateSteps, s.Candidates = 0, &[]string{}
		}
	}
	s.Distil.Steps -= steps
}
