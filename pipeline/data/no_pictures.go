package data

// noPictures stands for the pictures of rows that have none: each row is one question, and counts as a picture does elsewhere.
type noPictures struct{ at func(i, q int) string }

func (p noPictures) load(int, []uint8) (string, error) { return "", nil }
func (p noPictures) verify(int) (string, error)        { return "", nil }
func (p noPictures) place(i, q int) string             { return p.at(i, q) }
func (p noPictures) sound() bool                       { return true }
func (p noPictures) without([]bool) pictures           { return p }

// HasPictures tells whether the questions are about pictures; otherwise each row of the data is a question alone.
func (d *Dataset) HasPictures() bool { return d.Size > 0 }

// Unit is what the splits count: pictures, or questions where there are none.
func (d *Dataset) Unit() string { return d.Train.Unit() }

// Unit is what the split counts.
func (s *Split) Unit() string {
	if s.album.size == 0 {
		return "questions"
	}
	return "pictures"
}
