package data

import (
	"fmt"
	"os"
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

// Overlaps finds the pictures that two splits share: what a network has seen in training tells little in a test. Files of
// different sizes differ, so only those are read whose size occurs in another split. Pictures that the program draws are
// all different, and so are the questions that it draws for two splits.
func (d *Dataset) Overlaps() ([]Overlap, error) {
	splits := d.Splits()
	if !d.HasPictures() {
		return countOverlaps(splits, sameQuestions(splits)), nil
	}
	bySize := map[int64][]pictureAt{}
	for s, split := range splits {
		folder, ok := split.album.source.(*folderPictures)
		if !ok {
			return nil, nil
		}
		for i, f := range folder.files {
			info, err := os.Stat(f.path)
			if err != nil {
				return nil, fmt.Errorf("data: %s: the picture cannot be read: %w", split.Place(i, 0), err)
			}
			bySize[info.Size()] = append(bySize[info.Size()], pictureAt{s, i, f.path})
		}
	}
	same := map[string][]pictureAt{}
	for _, group := range bySize {
		if group[0].split == group[len(group)-1].split { // they stand in the order of the splits
			continue
		}
		for _, p := range group {
			sum, err := splits[p.split].album.source.(*folderPictures).sum(p.path)
			if err != nil {
				return nil, fmt.Errorf("data: %s: the picture cannot be read: %w", splits[p.split].Place(p.picture, 0), err)
			}
			same[sum] = append(same[sum], p)
		}
	}
	return countOverlaps(splits, same), nil
}

// sameQuestions groups the questions without a picture by their text.
func sameQuestions(splits []*Split) map[string][]pictureAt {
	same := map[string][]pictureAt{}
	for s, split := range splits {
		for i := range split.Len() {
			text := split.Questions(i)[0].Text
			same[text] = append(same[text], pictureAt{split: s, picture: i})
		}
	}
	return same
}

// pictureAt is a picture by its split's and its own number.
type pictureAt struct {
	split, picture int
	path           string
}

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
