package data

import (
	"cmp"
	"fmt"
	"slices"

	"espalier/model/image"
)

// adGenerator is the version of the drawing. It goes into the data set's hash: change it with any byte of a picture.
const adGenerator = "ads 1"

// openAds draws the advertisement-audit set: five questions a picture, one a task.
func openAds(cfg Config) (*Dataset, error) {
	vocabulary, err := adVocabulary()
	if err != nil {
		return nil, fmt.Errorf("data: ads: %w", err)
	}
	size, ads := cmp.Or(cfg.Size, adSize), defaultAds
	if cfg.Ads != nil {
		ads = *cfg.Ads
	}
	d := &Dataset{
		Name:       "ads",
		Size:       size,
		Train:      newAdSplit(adTrain, cfg.Train, size, ads),
		Validation: newAdSplit(adValidation, cfg.Validation, size, ads),
		Test:       newAdSplit(adTest, cfg.Test, size, ads),
		OOD:        newAdSplit(adOOD, cfg.OOD, size, ads),
		Tasks:      slices.Clone(adTasks),
		Categories: slices.Clone(adProducts),
		Tokenizer:  vocabulary,
	}
	if err := d.prepare(cfg.MemoryBudget, &faults{}); err != nil {
		return nil, err
	}
	return d, nil
}

func newAdSplit(split adSplit, limit, size int, ads Ads) *Split {
	scenes := make([]scene, cmp.Or(limit, split.pictures))
	questions := make([][]Question, len(scenes))
	parallel(len(scenes), func(i int) {
		scenes[i] = drawScene(split, i, ads)
		questions[i] = scenes[i].questions()
	})
	return newSplit(split.name, questions, size, &adPictures{split, size, ads, scenes})
}

// adPictures draws pictures from their scenes.
type adPictures struct {
	split  adSplit
	size   int
	ads    Ads
	scenes []scene
}

func (p *adPictures) load(i int, dst []uint8) (string, error) {
	if p.size == adSize {
		p.scenes[i].render(dst, p.split.ood)
		return p.verify(i)
	}
	picture := image.New(adSize, adSize)
	p.scenes[i].render(picture.Pix, p.split.ood)
	copy(dst, picture.Resize(p.size, p.size).Pix)
	return p.verify(i)
}

// verify: a drawing cannot be broken. Its index tells it apart.
func (p *adPictures) verify(i int) (string, error) {
	name := fmt.Sprintf("%s %s %d", adGenerator, p.split.name, i)
	if p.ads != defaultAds {
		name += fmt.Sprintf(" %v", p.ads)
	}
	return name, nil
}

func (p *adPictures) place(i, _ int) string { return fmt.Sprintf("ads/%s picture %d", p.split.name, i) }

func (p *adPictures) sound() bool { return true }

// without: a drawing cannot be broken.
func (p *adPictures) without([]bool) pictures { return p }
