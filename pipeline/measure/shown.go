package measure

import (
	"image"
	"math"

	"espalier/pipeline/data"
	"espalier/pipeline/event"
)

// How many pictures of the test split are shown with their answers, and how many questions of each.
const shownPictures, shownQuestions = 8, 6

// Shown are some pictures of a split, from all over it, with what the teacher and the student say; nil is no student.
func Shown(split *data.Split, teacher Marks, student *Marks) (out []event.Answered) {
	n := min(shownPictures, split.Len())
	for i := range n {
		p := i * split.Len() / n
		a := event.Answered{Place: split.Place(p, 0), Picture: pictureOf(split, p)}
		for j, q := range split.Questions(p)[:min(shownQuestions, len(split.Questions(p)))] {
			asked := event.Asked{Question: q.Text, Accepted: q.Answers, Teacher: teacher.Said[p][j]}
			if student != nil {
				asked.Student = student.Said[p][j]
			}
			a.Asked = append(a.Asked, asked)
		}
		out = append(out, a)
	}
	return out
}

// pictureOf is a picture as the networks see it; nil where there is none, or where it cannot be read any more.
func pictureOf(split *data.Split, p int) image.Image {
	b, err := data.ReadBatch(split, []int{p})
	if err != nil || len(b.Pixels) == 0 {
		return nil
	}
	side := int(math.Sqrt(float64(len(b.Pixels) / 3)))
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		for c := range 3 {
			img.Pix[4*i+c] = b.Pixels[c*side*side+i]
		}
		img.Pix[4*i+3] = 255
	}
	return img
}
