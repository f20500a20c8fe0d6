package page

import (
	"encoding/json"
	"fmt"

	"espalier/distillation"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/pruning"
)

// made is how a stage's student was made, as far as the chain tells.
type made struct {
	Stage   string
	Cuts    []cutMade
	Courses []distillation.Course // of its distillation: after each cut, and what came on top
}

// cutMade is a cut: what was scored, and what stayed.
type cutMade struct {
	Scores pruning.Scores
	Keep   map[string][]int
}

// triesOf are the places of a stage's tries up to the one that its report is of.
func triesOf(prefix string, s report.Stage) (places []string) {
	name, at := prefix+s.Name, s.Try()
	if at < 0 {
		return []string{name}
	}
	for _, t := range s.Tried[:at+1] {
		places = append(places, stage.PlaceOf(name, t.What))
	}
	return places
}

// placeOf is where the chain has the try that a stage's report is of.
func placeOf(prefix string, s report.Stage) string {
	places := triesOf(prefix, s)
	return places[len(places)-1]
}

// madeOf reads how a stage's student was made. A try that takes more steps goes on from the one before; any other begins anew.
func (k kept) madeOf(prefix string, s report.Stage) (m made, err error) {
	m.Stage = s.Name
	for i, place := range triesOf(prefix, s) {
		if _, goesOn := k[place+"/distil"]; goesOn {
			var more stage.Recovered
			if err := k.value(place+"/distil", &more); err != nil {
				return m, err
			}
			m.Courses = append(m.Courses, more.Course)
			continue
		}
		m.Cuts, m.Courses = nil, nil
		if i == 0 && len(s.Cuts) == 1 {
			if err := k.shortTraining(&m, prefix, s); err != nil {
				return m, err
			}
		}
		if err := k.cuts(&m, place); err != nil {
			return m, err
		}
	}
	if len(m.Cuts) == 0 {
		return m, fmt.Errorf("the run's chain.json has no cut of stage %s", s.Name)
	}
	return m, nil
}

// shortTraining is the candidates' of the way to score that the stage chose: the student of its only cut went on from it.
func (k kept) shortTraining(m *made, prefix string, s report.Stage) error {
	for _, c := range s.Candidates {
		for round := 1; c.Chosen; round++ {
			at := fmt.Sprintf("%s/distil round %d of %s", prefix+s.Name, round, c.Name)
			if _, there := k[at]; !there {
				break
			}
			var r stage.Recovered
			if err := k.value(at, &r); err != nil {
				return err
			}
			m.Courses = append(m.Courses, r.Course)
		}
	}
	return nil
}

// cuts reads the numbered cuts of a try, each with the distillation after it.
func (k kept) cuts(m *made, place string) error {
	for n := 1; ; n++ {
		step, there := k[fmt.Sprintf("%s/cut %d", place, n)]
		if !there {
			return nil
		}
		var c cutMade
		text, err := json.Marshal(step.Inputs)
		if err == nil {
			err = json.Unmarshal(text, &c)
		}
		if err != nil {
			return fmt.Errorf("%s: what it keeps cannot be read: %w", step.At, err)
		}
		if at := fmt.Sprintf("%s/score %d", place, n); k[at].At != "" { // tokens alone are not scored
			if err := k.value(at, &c.Scores); err != nil {
				return err
			}
		}
		m.Cuts = append(m.Cuts, c)
		var r stage.Recovered
		if err := k.value(fmt.Sprintf("%s/distil %d", place, n), &r); err != nil {
			return err
		}
		m.Courses = append(m.Courses, r.Course)
	}
}
