package data

import (
	"fmt"
	"strings"
)

// Overlap counts the pictures of one split that another one holds too, byte for byte, or the questions where there are no pictures.
type Overlap struct {
	Split, Other string
	Unit         string // "pictures" or "questions"
	Pictures     int
	First, Same  string // where the first of them stands in Split, and in Other
}

func (o Overlap) String() string {
	is := o.Unit + " of %s are"
	if o.Pictures == 1 {
		is = strings.TrimSuffix(o.Unit, "s") + " of %s is"
	}
	return fmt.Sprintf("%d "+is+" also in %s (first: %s = %s)", o.Pictures, o.Split, o.Other, o.First, o.Same)
}

// Overlaps finds the pictures that two splits share: what a network has seen in training tells little in a test. Pictures that the
// program draws are all different, and so are the questions that it draws for two splits.
func (d *Dataset) Overlaps() []Overlap { return overlaps(d.Splits()) }

func overlaps(splits []*Split) []Overlap {
	same := map[string][]pictureAt{}
	for s, split := range splits {
		for i, sum := range sumsOf(split) {
			same[sum] = append(same[sum], pictureAt{s, i})
		}
	}
	return countOverlaps(splits, same)
}

// sumsOf tell the pictures of a split from those of others, and questions about none by their texts; none where all are drawn.
func sumsOf(s *Split) (sums []string) {
	switch source := s.album.source.(type) {
	case *filePictures:
		for _, p := range source.shown {
			sums = append(sums, p.sum)
		}
	case noPictures:
		for _, questions := range s.questions {
			sums = append(sums, questions[0].Text)
		}
	}
	return sums
}

// pictureAt is a picture by its split's and its own number.
type pictureAt struct{ split, picture int }

// countOverlaps has an entry for each pair of splits, the later one counted against the earlier.
func countOverlaps(splits []*Split, same map[string][]pictureAt) (out []Overlap) {
	for later := range splits {
		for earlier := range later {
			o := Overlap{Split: splits[later].Name, Other: splits[earlier].Name, Unit: splits[later].Unit()}
			first, twin := -1, -1
			for _, group := range same {
				there := firstOf(group, earlier)
				if there < 0 {
					continue
				}
				for _, p := range group {
					if p.split != later {
						continue
					}
					o.Pictures++
					if first < 0 || p.picture < first {
						first, twin = p.picture, there
					}
				}
			}
			if o.Pictures > 0 {
				o.First, o.Same = splits[later].Place(first, 0), splits[earlier].Place(twin, 0)
				out = append(out, o)
			}
		}
	}
	return out
}

// firstOf is the first picture of a split within a group that stands in order, or -1.
func firstOf(group []pictureAt, split int) int {
	for _, p := range group {
		if p.split == split {
			return p.picture
		}
	}
	return -1
}
