package data

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"espalier/model/image"
	"espalier/pipeline/rows"
)

// filesSplit is one split's rows, grouped by picture, in order of first appearance.
type filesSplit struct {
	name  string
	from  rows.Source
	shown []*shown
}

// shown is one picture with all its questions, or one question about none.
type shown struct {
	picture   rows.Picture // nil: none
	sum       string       // SHA-256 of its bytes; of a question about none, of its text
	questions []Question
	places    []string // of each question
}

// readSplit gives nil where there is no source.
func readSplit(name string, from *rows.Source, needAnswers bool, cfg Config, bad *faults) *filesSplit {
	if from == nil {
		return nil
	}
	bad.split = name
	s := &filesSplit{name: name, from: *from}
	s.group(from.Read(needAnswers, bad), cfg.Sum, bad)
	return s
}

// group gathers the rows of each picture. Pictures are the same where their bytes are: some forms have no names for them, and others
// hold one more than once.
func (s *filesSplit) group(all []rows.Row, of rows.Sums, bad *faults) {
	pictures := rows.Pictures(all)
	sums, errs := make([]string, len(pictures)), make([]error, len(pictures))
	parallel(len(pictures), func(i int) { sums[i], errs[i] = pictures[i].Sum(of) })
	at := map[rows.Picture]int{}
	for i, p := range pictures {
		at[p] = i
	}
	told, bySum := map[rows.Picture]bool{}, map[string]*shown{}
	for _, r := range all {
		q := Question{r.Question, r.Answers, r.Task, r.Category}
		if r.Picture == nil {
			s.shown = append(s.shown, &shown{sum: sumOf(r.Question), questions: []Question{q}, places: []string{r.Place}})
			continue
		}
		i := at[r.Picture]
		if err := errs[i]; err != nil {
			if bad.skip || !told[r.Picture] { // once for a picture; of rows that are left out, each is listed
				bad.Row(r.Place, "%v", err)
			}
			told[r.Picture] = true
			continue
		}
		p := bySum[sums[i]]
		if p == nil {
			p = &shown{picture: r.Picture, sum: sums[i]}
			bySum[p.sum], s.shown = p, append(s.shown, p)
		}
		p.questions, p.places = append(p.questions, q), append(p.places, r.Place)
	}
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// drawn are the pictures whose questions all have answers, in an order that a seed and their bytes decide: the same whatever their
// names, their form and the order of the rows, and hardly another one when pictures are added.
func (s *filesSplit) drawn(seed uint64) []*shown {
	lot := map[*shown]string{}
	var all []*shown
	for _, p := range s.shown {
		if !slices.ContainsFunc(p.questions, func(q Question) bool { return len(q.Answers) == 0 }) {
			lot[p] = sumOf(fmt.Sprintf("%d %s", seed, p.sum))
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b *shown) int { return cmp.Compare(lot[a], lot[b]) })
	return all
}

// part moves pictures to a split of their own, in which they keep their order.
func (s *filesSplit) part(name string, out []*shown) *filesSplit {
	part := &filesSplit{name: name, from: s.from}
	taken := map[*shown]bool{}
	for _, p := range out {
		taken[p] = true
	}
	var rest []*shown
	for _, p := range s.shown {
		if taken[p] {
			part.shown = append(part.shown, p)
		} else {
			rest = append(rest, p)
		}
	}
	s.shown = rest
	return part
}

// holdOut moves one picture in twenty, at least one, to a validation split. It gives nil when there is nothing to take.
func (s *filesSplit) holdOut() *filesSplit {
	all := s.drawn(0)
	if len(all) == 0 || len(s.shown) < 2 {
		return nil
	}
	return s.part("validation", all[:max(1, len(all)/20)])
}

// divide moves shares of the pictures, in percent and at least one each, to validation and test; the rest stays, with all that has a
// question without an answer. It gives nil where there are too few.
func (s *filesSplit) divide(shares [3]int, seed uint64) (validation, test *filesSplit) {
	share := func(percent int) int { return max(1, (len(s.shown)*percent+50)/100) }
	forValidation, forTest := share(shares[1]), share(shares[2])
	all := s.drawn(seed)
	if n := forValidation + forTest; n > len(all) || n >= len(s.shown) {
		return nil, nil
	}
	return s.part("validation", all[forTest:forTest+forValidation]), s.part("test", all[:forTest])
}

// take makes the split of the first `limit` pictures, or all with 0.
func (s *filesSplit) take(limit int, cfg Config) *Split {
	all := s.shown
	if limit > 0 && limit < len(all) {
		all = all[:limit]
	}
	questions := make([][]Question, len(all))
	for i, p := range all {
		questions[i] = p.questions
	}
	var source pictures = &filePictures{cfg.Size, all, cfg.Skip}
	if cfg.Size == 0 {
		source = noPictures{func(i, _ int) string { return all[i].places[0] }}
	}
	return newSplit(s.name, questions, cfg.Size, source)
}

// filePictures reads pictures from their files.
type filePictures struct {
	size  int
	shown []*shown
	whole bool // verify decodes all of it
}

func (p *filePictures) load(i int, dst []uint8) (string, error) {
	from := p.shown[i].picture
	data, err := from.Read()
	if err != nil {
		return "", err
	}
	picture, err := image.Decode(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	copy(dst, picture.Resize(p.size, p.size).Pix)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// verify gives the same fingerprint as load.
func (p *filePictures) verify(i int) (string, error) {
	if p.whole {
		return p.load(i, make([]uint8, 3*p.size*p.size))
	}
	if err := p.shown[i].picture.Check(); err != nil {
		return "", err
	}
	return p.shown[i].sum, nil
}

func (p *filePictures) place(i, q int) string { return p.shown[i].places[q] }

// sound: a file may be broken, and that is found out before hours of training.
func (p *filePictures) sound() bool { return false }

func (p *filePictures) without(broken []bool) pictures {
	kept := *p
	kept.shown = slices.Clone(p.shown)
	at := -1
	kept.shown = slices.DeleteFunc(kept.shown, func(*shown) bool { at++; return broken[at] })
	return &kept
}
